package fleetsim

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrDown says that a worker's process is not running.
var ErrDown = errors.New("down")

// Up reports whether a worker's process is running.
func (f *Fleet) Up(worker int) bool { return !f.workers[worker].down }

// At lets something happen inside Advance at simulated time t, after the arrivals and before the ends of steps of that moment: the way
// to make faults independent of how a run is cut into calls.
func (f *Fleet) At(t time.Duration, do func()) error {
	if t < f.now {
		return fmt.Errorf("at: must be at least the time reached %s, is %s", f.now, t)
	}
	f.agenda.add(t, do)
	return nil
}

// worker finds a worker by its index.
func (f *Fleet) worker(i int) (*worker, error) {
	if i < 0 || i >= len(f.workers) {
		return nil, fmt.Errorf("worker: must be from 0 to %d, is %d", len(f.workers)-1, i)
	}
	return f.workers[i], nil
}

// SetSpeed makes a worker's steps take 1/factor of their time, from its next step on: its GPUs are that much faster in everything and
// draw the same power.
func (f *Fleet) SetSpeed(worker int, factor float64) error {
	w, err := f.worker(worker)
	if err == nil {
		err = checkSpeed(factor)
	}
	if err != nil {
		return err
	}
	w.speed = factor
	return nil
}

// SetLoad makes the workload run at a multiple of its configured rate from now on. A closed loop has no rate.
func (f *Fleet) SetLoad(multiplier float64) error {
	if !(multiplier > 0) || math.IsInf(multiplier, 0) {
		return fmt.Errorf("load: must be above 0, is %g", multiplier)
	}
	if _, ok := f.source.(*closedLoop); ok {
		return fmt.Errorf("load: a closed loop has no rate to multiply by %g", multiplier)
	}
	f.pace = f.pace.change(f.now, multiplier)
	if f.next != nil {
		f.next.At = max(f.pace.at(f.nextAt), f.now)
	}
	return nil
}

// SetLink changes the links of some workers, without any of all, for transfers that start from now on.
func (f *Fleet) SetLink(l Link, workers ...int) error {
	if err := l.Validate(); err != nil {
		return err
	}
	var some []*worker
	for _, i := range workers {
		w, err := f.worker(i)
		if err != nil {
			return err
		}
		some = append(some, w)
	}
	if len(workers) == 0 {
		some = f.workers
	}
	for _, w := range some {
		f.setLink(w, l)
	}
	return nil
}

func (f *Fleet) setLink(w *worker, l Link) {
	w.link = l
	ranks := f.cfg.Pools[w.pool].TensorParallel
	for i, s := range []*side{&w.egress, &w.ingress} {
		s.nics = newBlockages(l.Hiccups, ranks, f.now, mix(f.cfg.Seed, uint64(w.index)<<1|uint64(i)))
	}
}

// Link is the link of a worker.
func (f *Fleet) Link(worker int) Link { return f.workers[worker].link }

// ResetCounters makes a worker's engine count from nothing, without a restart and without losing work.
func (f *Fleet) ResetCounters(worker int) error {
	w, err := f.worker(worker)
	if err != nil {
		return err
	}
	return f.openBook(w)
}

// SetHashSeed changes the seed of a worker's block hashes, which a process has for life: it counts from the next restart on.
func (f *Fleet) SetHashSeed(worker int, seed uint64) error {
	w, err := f.worker(worker)
	if err != nil {
		return err
	}
	w.nextSeed = seed
	return nil
}
