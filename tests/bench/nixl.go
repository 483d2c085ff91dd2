package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/nixl"
)

// eventsOfTransfer are what NIXL tells of one: bytes, requests, its time and the time to post it.
const eventsOfTransfer = 4

// transfers is an agent of NIXL that transfers at a steady rate and tells of it in a ring.
func transfers(rate int) (work, error) {
	dir, err := os.MkdirTemp("", "bench-nixl")
	if err != nil {
		return work{}, err
	}
	agent, err := nixl.Create(nixl.Options{Dir: dir, Agent: "agent"})
	if err != nil {
		return work{}, errors.Join(err, os.RemoveAll(dir))
	}
	var written, lost atomic.Int64
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for began, told := time.Now(), 0; ; {
			for due := int(time.Since(began).Seconds() * float64(rate)); told < due; told++ {
				agent.Transfer(nixl.Transfer{Write: true, Bytes: 1 << 20, Duration: 250 * time.Microsecond, Post: 12 * time.Microsecond})
			}
			agent.Flush(time.Now())
			counts := agent.Counts()
			written.Store(int64(counts.Written))
			lost.Store(int64(counts.Lost + counts.StagingDropped))
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	})
	return work{
		targets: []string{agent.Path()},
		done:    written.Load,
		ready:   2 * 4096, // beyond what the ring holds, somebody has read
		lost:    lost.Load,
		close: func() error {
			close(stop)
			running.Wait()
			return errors.Join(agent.Close(), os.RemoveAll(dir))
		},
	}, nil
}

// ringReaders are our receiver and the example reader of NIXL's repository, examples/python/telemetry_reader.py.
func ringReaders(o options, binary string) []subject {
	return []subject{
		collectorIdle(binary),
		collector("nixl", binary, func(at site) pipeline {
			return pipeline{receiver: fmt.Sprintf("  nixl: {collection_interval: 1s, sources: {buffer: {directories: [%q], mode: consume}, links: {enabled: false}}}",
				filepath.Dir(at.targets[0]))}
		}),
		{name: "telemetry_reader.py", other: true, silent: true, command: func(at site) (*exec.Cmd, error) {
			return exec.Command(o.python, o.reader, "--telemetry_path", at.targets[0]), nil
		}},
	}
}

func reportRings(out io.Writer, o options, subjects []subject, results map[string][]measured) {
	heading(out, fmt.Sprintf("one ring of 4,096 events, %d transfers/s of %d events", o.rate, eventsOfTransfer), o)
	table(out, subjects, results, []column{
		{head: "CPU µs per event", of: func(all []measured) string {
			return spreadOf(all, func(m measured) float64 { return 1000 * cpuEach(m) }).String()
		}},
		{head: "events lost, %", of: func(all []measured) string {
			return spreadOf(all, func(m measured) float64 { return 100 * float64(m.lost) / float64(max(m.done+m.lost, 1)) }).String()
		}},
	})
}
