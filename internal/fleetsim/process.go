package fleetsim

import "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"

// SetVersion changes the release whose page a worker's engine speaks; as with any upgrade it counts from the next restart on. A
// version that the engine does not know is an error and changes nothing.
func (f *Fleet) SetVersion(worker int, version string) error {
	w, err := f.worker(worker)
	if err != nil {
		return err
	}
	facts := w.facts
	facts.Version = version
	if _, err := engine.New(f.cfg.engineName(&f.cfg.Pools[w.pool]), facts); err != nil {
		return err
	}
	w.facts = facts
	return nil
}

// Speed is a worker's speed factor.
func (f *Fleet) Speed(worker int) float64 { return f.workers[worker].speed }

// KVPoolBytes is the size of a worker's KV pool over all GPUs of its group.
func (f *Fleet) KVPoolBytes(worker int) float64 {
	p := f.Pool(worker)
	return f.model.KVBytesPerToken(p.KVPrecision) * float64(p.BlockSize*p.KVBlocks)
}

// process tells of a worker's process that ends or starts.
func (f *Fleet) process(w *worker, up bool) {
	if f.cfg.OnProcess != nil {
		f.cfg.OnProcess(w.index, up)
	}
}

// State is what a worker's scheduler has now, a step in progress included.
func (f *Fleet) State(worker int) engine.State { return f.workers[worker].state() }
