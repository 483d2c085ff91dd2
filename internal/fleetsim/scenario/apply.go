package scenario

import (
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// ErrNotOfFleet says that a fault is not one of the simulated fleet itself but of the protocols around it.
var ErrNotOfFleet = errors.New("happens outside the simulated fleet")

// Apply makes a fault of the fleet itself happen now; undo ends it. Faults of pages, streams, agents and GPUs are ErrNotOfFleet.
func Apply(f *fleetsim.Fleet, x *Fault) (undo func() error, err error) {
	nothing := func() error { return nil }
	switch {
	case x.Restart != nil:
		return nothing, each(f, x.Restart.Worker, func(w int) error { return restart(f, w, x.Restart.Downtime) })
	case x.CounterReset != nil:
		return nothing, each(f, x.CounterReset.Worker, f.ResetCounters)
	case x.Version != nil:
		return nothing, each(f, x.Version.Worker, func(w int) error {
			return errors.Join(f.SetVersion(w, x.Version.Version), restart(f, w, x.Version.Downtime))
		})
	case x.Speed != nil:
		return forEach(f, x.Speed.Worker, func(w int) (func() error, error) {
			old := f.Speed(w)
			return func() error { return f.SetSpeed(w, old) }, f.SetSpeed(w, x.Speed.Factor)
		})
	case x.HashSeed != nil:
		return nothing, each(f, x.HashSeed.Worker, func(w int) error {
			return errors.Join(f.SetHashSeed(w, x.HashSeed.Seed), restart(f, w, x.HashSeed.Downtime))
		})
	case x.Load != nil:
		return func() error { return f.SetLoad(1) }, f.SetLoad(x.Load.Factor)
	case x.Hiccups != nil:
		return changeLinks(f, x.link, func(l *fleetsim.Link, old fleetsim.Link) { l.Hiccups = old.Hiccups })
	case x.TCPFallback != nil:
		return changeLinks(f, x.link, func(l *fleetsim.Link, old fleetsim.Link) { l.Fallback = old.Fallback })
	}
	return nil, ErrNotOfFleet
}

// each does something to one worker, or to all.
func each(f *fleetsim.Fleet, worker *int, do func(int) error) error {
	if worker != nil {
		return do(*worker)
	}
	for w := range f.Workers() {
		if err := do(w); err != nil {
			return err
		}
	}
	return nil
}

// forEach is each for what can be undone.
func forEach(f *fleetsim.Fleet, worker *int, do func(int) (func() error, error)) (func() error, error) {
	var undo []func() error
	err := each(f, worker, func(w int) error {
		back, err := do(w)
		undo = append(undo, back)
		return err
	})
	return func() error {
		var err error
		for _, u := range undo {
			err = errors.Join(err, u())
		}
		return err
	}, err
}

// restart restarts a worker; one that is down already comes back as it would have.
func restart(f *fleetsim.Fleet, worker int, downtime time.Duration) error {
	if !f.Up(worker) {
		return nil
	}
	return f.RestartWorker(worker, downtime)
}

// link is what a network fault makes of a link.
func (x *Fault) link(l *fleetsim.Link) {
	switch {
	case x.Hiccups != nil:
		l.Hiccups = *x.Hiccups
	case x.TCPFallback != nil:
		old := l.Fallback
		l.Fallback = *x.TCPFallback
		if l.Fallback.Bandwidth == 0 {
			l.Fallback.Bandwidth = old.Bandwidth
		}
		if l.Fallback.Latency == 0 {
			l.Fallback.Latency = old.Latency
		}
	}
}

// changeLinks changes the links of all workers; undo puts the part back that was changed, and nothing that others have changed since.
func changeLinks(f *fleetsim.Fleet, change func(*fleetsim.Link), undo func(l *fleetsim.Link, old fleetsim.Link)) (func() error, error) {
	return forEach(f, nil, func(w int) (func() error, error) {
		old := f.Link(w)
		l := old
		change(&l)
		return func() error {
			now := f.Link(w)
			undo(&now, old)
			return f.SetLink(now, w)
		}, f.SetLink(l, w)
	})
}

// Arm plans the scenario's faults of the fleet itself, and their ends, so that they happen inside Advance. failed is told of those that
// cannot be. Faults outside the fleet are left to others.
func (s *Scenario) Arm(f *fleetsim.Fleet, failed func(error)) error {
	for i := range s.Faults {
		x := &s.Faults[i]
		err := f.At(x.At, func() {
			undo, err := Apply(f, x)
			if errors.Is(err, ErrNotOfFleet) {
				return
			}
			if err == nil && x.For > 0 {
				err = f.At(x.At+x.For, func() { report(failed, undo()) })
			}
			report(failed, err)
		})
		if err != nil {
			return fmt.Errorf("faults[%d].%w", i, err)
		}
	}
	return nil
}

func report(failed func(error), err error) {
	if err != nil {
		failed(err)
	}
}

// Run simulates a scenario from its beginning to its end, or to limit if that comes first or the scenario has no end, and returns the
// fleet, which the caller closes. Faults of pages, streams, agents and GPUs concern readers only and do not happen here.
func (s *Scenario) Run(limit time.Duration) (*fleetsim.Fleet, error) {
	f, err := fleetsim.New(s.Fleet)
	if err != nil {
		return nil, err
	}
	var failures error
	if err := s.Arm(f, func(err error) { failures = errors.Join(failures, err) }); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if s.Duration > 0 {
		limit = min(limit, s.Duration)
	}
	if err := errors.Join(f.Advance(limit), failures); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
