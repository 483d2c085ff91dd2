package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"time"
)

// deadline is a time that several waits share.
type deadline struct {
	c      <-chan time.Time
	passed bool
}

func newDeadline(c clock, d time.Duration) (*deadline, func()) {
	fires, stop := c.After(d)
	return &deadline{c: fires}, stop
}

// await takes a value until the deadline, or until gone is closed. After the deadline it takes what is there already, so that one who
// is late makes nobody else late.
func await[T any](ctx context.Context, c <-chan T, gone <-chan struct{}, d *deadline) (value T, ok bool) {
	if d.passed {
		select {
		case value = <-c:
			return value, true
		default:
			return value, false
		}
	}
	select {
	case value = <-c:
		return value, true
	case <-gone:
	case <-ctx.Done():
		d.passed = true
	case <-d.c:
		d.passed = true
	}
	return value, false
}
