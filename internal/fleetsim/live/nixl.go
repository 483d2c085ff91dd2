package live

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/nixl"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
)

// agents leave NIXL telemetry behind: one agent per rank of every worker that hands KV over or fetches it.
type agents struct {
	options *scenario.NIXL
	wall    func() time.Time
	ranks   [][]nixl.Telemetry // by worker; none for aggregated ones
}

// openAgents starts them; each registers the KV pool of its GPU.
func openAgents(o *scenario.NIXL, cfg *fleetsim.Config, wall func() time.Time) (*agents, error) {
	a := &agents{options: o, wall: wall}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("protocols.nixl.dir: %w", err)
	}
	for i, p := range workerPools(cfg) {
		var ranks []nixl.Telemetry
		if p.Role != fleetsim.Aggregated {
			for r := range p.TensorParallel {
				t, err := a.start(i, r)
				if err != nil {
					return nil, errors.Join(fmt.Errorf("protocols.nixl, worker %d, rank %d: %w", i, r, err), a.close())
				}
				ranks = append(ranks, t)
			}
		}
		a.ranks = append(a.ranks, ranks)
	}
	return a, nil
}

// name is what vLLM gives an agent, a random UUID, made from the worker and rank so that a run can be repeated.
func agentName(worker, rank int) string {
	return fmt.Sprintf("%08x-%04x-4000-8000-%012x", 0xf1ee7000+worker, rank, worker<<8|rank)
}

func (a *agents) start(worker, rank int) (nixl.Telemetry, error) {
	o := a.options
	if o.Exporter == "prometheus_mp" {
		return nixl.CreateStore(nixl.StoreOptions{
			Dir: o.Dir, Agent: agentName(worker, rank), Host: "fleetsim", LocalRank: strconv.Itoa(rank), PID: int64(os.Getpid()),
			RunMarker: uint64(a.wall().UnixNano()), Instance: uint64(worker<<8 | rank), Clock: a.wall,
		})
	}
	return nixl.Create(nixl.Options{
		Dir: o.Dir, Agent: agentName(worker, rank), Layout: nixl.Layout(o.Layout), Capacity: uint64(o.Capacity), Clock: a.wall,
	})
}

// register tells of each agent's KV pool, as engines do at start.
func (a *agents) register(f *fleetsim.Fleet) {
	for w, ranks := range a.ranks {
		for _, t := range ranks {
			t.Register(uint64(f.KVPoolBytes(w)) / uint64(len(ranks)))
		}
	}
}

// transfer books a completed transfer with its initiator: the decode worker reads with vLLM, the prefill worker writes with SGLang.
func (a *agents) transfer(t fleetsim.TransferTruth, writes bool) {
	worker := t.Destination
	if writes {
		worker = t.Source
	}
	ranks := a.ranks[worker]
	for i, agent := range ranks {
		if t.Failed {
			agent.Error(nixl.Backend)
			continue
		}
		agent.Transfer(nixl.Transfer{
			Write: writes, Bytes: uint64(t.Bytes) / uint64(len(ranks)),
			Duration: seconds(t.RankSeconds[i]), Post: seconds(t.PostSeconds),
		})
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (a *agents) flush(now time.Time) {
	for _, ranks := range a.ranks {
		for _, t := range ranks {
			t.Flush(now)
		}
	}
}

// process follows a worker's process: its agents die with it, and new ones take their files over.
func (a *agents) process(worker int, up bool) error {
	return a.each(&worker, func(w, r int, t nixl.Telemetry) error {
		if !up {
			return t.Kill()
		}
		fresh, err := a.start(w, r)
		if err == nil {
			a.ranks[w][r] = fresh
		}
		return err
	})
}

// each calls f for every agent of a worker, or of all.
func (a *agents) each(worker *int, f func(worker, rank int, t nixl.Telemetry) error) error {
	var err error
	for w, ranks := range a.ranks {
		if worker != nil && *worker != w {
			continue
		}
		for r, t := range ranks {
			err = errors.Join(err, f(w, r, t))
		}
	}
	return err
}

func (a *agents) close() error {
	return a.each(nil, func(_, _ int, t nixl.Telemetry) error { return t.Close() })
}
