package live

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// hook connects what happens in the fleet with those who tell of it.
func (r *Rig) hook(cfg *fleetsim.Config) {
	pools := workerPools(cfg)
	if r.kv != nil {
		cfg.OnKV = func(b fleetsim.KVBatch) { r.kv.publish(b, unix(r.wall(b.Worker, b.At))) }
	}
	if r.passes != nil {
		cfg.OnPass = r.passes.publish
	}
	if r.steps.on() {
		cfg.OnStep = func(s fleetsim.StepTruth) { r.steps.write(s) }
	}
	if r.agents != nil || r.transfers.on() {
		cfg.OnTransfer = func(t fleetsim.TransferTruth) {
			r.transfers.write(t)
			if r.agents != nil {
				r.agents.transfer(t, pools[t.Destination].Engine == fleetsim.SGLang)
			}
		}
	}
	cfg.OnRequest = func(t fleetsim.RequestTruth) {
		r.requests.write(t)
		if r.spans != nil {
			r.spans.send(t, r.driver.wall(0).Add(r.skew[t.Worker]))
		}
	}
	cfg.OnProcess = r.process
	if r.options.Scenario.Protocols.Frontend != nil {
		cfg.FrontEnd = engine.NameDynamo
	}
}

// process follows a worker's process that ends or starts.
func (r *Rig) process(worker int, up bool) {
	if worker < len(r.pages) {
		r.pages[worker].change(func(p *PageFault) { p.Down = !up })
	}
	if up && r.kv != nil {
		r.kv.publishers[worker].Restart()
	}
	if up && r.passes != nil {
		r.passes.publishers[worker].Restart()
	}
	if r.agents != nil {
		r.driver.fail(r.agents.process(worker, up))
	}
}

// wall is a worker's own idea of a simulated time.
func (r *Rig) wall(worker int, at time.Duration) time.Time {
	return r.driver.wall(at).Add(r.skew[worker])
}

func unix(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }
