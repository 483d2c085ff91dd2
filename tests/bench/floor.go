package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// floorCommand as the first argument makes this program the floor.
const floorCommand = "floor"

// floorSubject is the least that a scrape takes: an HTTP request, and Prometheus' parser over the answer with nothing done with what it
// finds. It runs in a process of its own.
func floorSubject(interval time.Duration) subject {
	return subject{name: floorCommand, points: "bench_floor_series_total", other: true, command: func(at site) (*exec.Cmd, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		return exec.Command(self, append([]string{floorCommand, "-interval", interval.String(), "-own", at.own}, at.targets...)...), nil
	}}
}

// floor scrapes and forgets.
type floor struct {
	client http.Client
	series atomic.Int64
}

// runFloor scrapes the targets among the arguments until it is interrupted, and tells on a page of its own how many series it read.
func runFloor(arguments []string) error {
	flags := flag.NewFlagSet(floorCommand, flag.ContinueOnError)
	interval := flags.Duration("interval", time.Second, "between two scrapes of a target")
	own := flags.String("own", "127.0.0.1:0", "address of its own page")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	f := &floor{client: http.Client{Timeout: *interval, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1}}}
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE bench_floor_series_total counter\nbench_floor_series_total %d\n", f.series.Load())
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	server := &http.Server{Addr: *own, Handler: mux, ReadHeaderTimeout: time.Minute}
	var running sync.WaitGroup
	for i, target := range flags.Args() {
		running.Go(func() {
			f.follow(ctx, "http://"+target+"/metrics", *interval, time.Duration(i)**interval/time.Duration(flags.NArg()))
		})
	}
	running.Go(func() {
		<-ctx.Done()
		_ = server.Close()
	})
	err := server.ListenAndServe()
	stop()
	running.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// follow scrapes one target at its own place in the interval. What fails is missing in the count of pages served.
func (f *floor) follow(ctx context.Context, url string, interval, offset time.Duration) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(offset):
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var body bytes.Buffer
	symbols := labels.NewSymbolTable()
	for {
		_ = f.scrape(ctx, url, &body, symbols)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (f *floor) scrape(ctx context.Context, url string, body *bytes.Buffer, symbols *labels.SymbolTable) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := f.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body.Reset()
	if _, err := body.ReadFrom(response.Body); err != nil {
		return err
	}
	p, err := textparse.New(body.Bytes(), response.Header.Get("Content-Type"), symbols, textparse.ParserOptions{})
	if err != nil {
		return err
	}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if entry == textparse.EntrySeries {
			p.Series()
			f.series.Add(1)
		}
	}
}
