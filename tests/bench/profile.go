package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
)

// profile takes the profiles of a window, if they are wanted, and says when it is done.
func (c *program) profile(o options, name string, round int) <-chan error {
	done := make(chan error, 1)
	if o.profiles == "" {
		done <- nil
		return done
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), o.window+2*stopWithin)
		defer cancel()
		var errs []error
		for _, kind := range []string{fmt.Sprintf("profile?seconds=%.0f", math.Ceil(o.window.Seconds())), "heap"} {
			body, err := c.get(ctx, "http://"+c.site.pprof+"/debug/pprof/"+kind)
			if err == nil {
				err = os.WriteFile(filepath.Join(o.profiles, fmt.Sprintf("%s-%d-%.4s.prof", name, round+1, kind)), body, 0o600)
			}
			errs = append(errs, err)
		}
		done <- errors.Join(errs...)
	}()
	return done
}
