package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
)

// gpus is a host with eight busy H100 behind the simulated NVML library, built anew.
func gpus(stub string) (w work, err error) {
	dir, err := os.MkdirTemp("", "bench-nvml")
	if err != nil {
		return work{}, err
	}
	machine, err := gpu.Template("h100", 8)
	if err != nil {
		return work{}, errors.Join(err, os.RemoveAll(dir))
	}
	state, err := gpu.Create(filepath.Join(dir, "state"), machine)
	if err != nil {
		return work{}, errors.Join(err, os.RemoveAll(dir))
	}
	stop := make(chan struct{})
	var running sync.WaitGroup
	var failed error
	running.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for began := time.Now(); failed == nil; {
			failed = load(state, len(machine.Devices), began, time.Now())
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	})
	return work{
		targets: []string{state.Path(), stub},
		done: func() (n int64) {
			for _, calls := range state.Calls() {
				n += int64(calls)
			}
			return n
		},
		ready: 1,
		close: func() error {
			close(stop)
			running.Wait()
			return errors.Join(failed, state.Close(), os.RemoveAll(dir))
		},
	}, nil
}

// load has every GPU do what decoding does from a moment until now.
func load(state *gpu.State, devices int, began, now time.Time) error {
	seconds := now.Sub(began).Seconds()
	s := gpu.Sample{
		Time: now, Energy: 400 * seconds, Power: 400, MemoryUsed: 60 << 30, SMClock: 1.7e9, MemoryClock: 2.6e9, Temperature: 60, MemoryTemperature: 70,
		Activity: gpu.Activity{Graphics: 0.9 * seconds, SM: 0.7 * seconds, Tensor: 0.2 * seconds, DRAM: 0.6 * seconds},
		PCIe:     gpu.Traffic{Receive: 1e8 * seconds, Transmit: 1e8 * seconds},
	}
	for i := range devices {
		if err := state.Update(i, s); err != nil {
			return err
		}
	}
	return nil
}

// buildStub builds the simulated library into a folder and returns its path.
func buildStub(dir string) (string, error) {
	if out, err := exec.Command("nvmlstub/build.sh", dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%.2000s", err, out)
	}
	return filepath.Join(dir, "libnvidia-ml.so.1"), nil
}

// gpuReaders are our receiver and a poller on nvidia-ml-py, each with and without XIDs: our receiver waits for those of each GPU by
// itself, the poller for those of all at once.
func gpuReaders(o options, binary string) []subject {
	onStub := func(s subject) subject {
		command := s.command
		s.command = func(at site) (*exec.Cmd, error) {
			cmd, err := command(at)
			if err != nil {
				return nil, err
			}
			cmd.Env = append(os.Environ(), "FLEETSIM_NVML_STATE="+at.targets[0], "LD_LIBRARY_PATH="+filepath.Dir(at.targets[1]))
			return cmd, nil
		}
		return s
	}
	ours := func(name, rest string) subject {
		return onStub(collector(name, binary, func(at site) pipeline {
			return pipeline{receiver: fmt.Sprintf("  nvml: {collection_interval: 1s, library: %q, %s}", at.targets[1], rest)}
		}))
	}
	poller := func(name string, arguments ...string) subject {
		return onStub(subject{name: name, other: true, command: func(site) (*exec.Cmd, error) {
			return exec.Command(o.python, append([]string{"bench/nvml_poll.py"}, arguments...)...), nil
		}})
	}
	const noEvents = "metrics: {nvidia.gpu.xid.count: {enabled: false}, hw.status: {enabled: false}}"
	return []subject{
		collectorIdle(binary),
		ours("nvml, preset minimal, no XIDs", "preset: minimal, "+noEvents), ours("nvml, no XIDs", noEvents), ours("nvml", "preset: default"),
		poller("nvidia-ml-py, 1 s", "1"), poller("nvidia-ml-py, 0.1 s", "0.1"), poller("nvidia-ml-py, 1 s, XIDs", "1", "xids"),
	}
}

func reportGPUs(out io.Writer, o options, subjects []subject, results map[string][]measured) {
	heading(out, "8 H100 of the simulated library, a collection every second", o)
	table(out, subjects, results, []column{
		{head: "CPU ms per second", idle: true, of: func(all []measured) string {
			return spreadOf(all, func(m measured) float64 { return 1000 * m.cpu.Seconds() / m.took.Seconds() }).String()
		}},
		{head: "NVML calls per second", of: func(all []measured) string {
			return fmt.Sprintf("%.0f", spreadOf(all, func(m measured) float64 { return float64(m.done) / m.took.Seconds() }).median)
		}},
	})
}
