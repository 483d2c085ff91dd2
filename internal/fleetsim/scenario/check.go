package scenario

import (
	"errors"
	"fmt"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// check holds what was read to the rules of those who will use it, so that nothing is found wrong in the middle of a run.
func (s *Scenario) check() error {
	errs := []error{checkFleet(s.Fleet)}
	for i := range s.Faults {
		if err := s.checkFault(&s.Faults[i]); err != nil {
			errs = append(errs, under(fmt.Sprintf("faults[%d]", i), err))
		}
	}
	for i := range s.Faults {
		for j := range i {
			if overlap(&s.Faults[j], &s.Faults[i]) {
				kind, _, _ := s.Faults[i].Kind()
				errs = append(errs, fmt.Errorf("faults[%d].at: must be after the end of faults[%d], which is %s too, is %s",
					i, j, kind, s.Faults[i].At))
			}
		}
	}
	return errors.Join(errs...)
}

// checkFleet sets up a fleet with one worker of every pool, which finds all that is wrong with any number of them.
func checkFleet(cfg fleetsim.Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	pools := cfg.Pools
	cfg.Pools = make([]fleetsim.Pool, len(pools))
	for i, p := range pools {
		p.Workers = 1
		p.Replicas = p.Replicas[:min(len(p.Replicas), 1)]
		cfg.Pools[i] = p
	}
	f, err := fleetsim.New(cfg)
	if err != nil {
		return err
	}
	return f.Close()
}

// checkFault tells of a fault that the fleet or its protocols would refuse when it happens.
func (s *Scenario) checkFault(f *Fault) error {
	p := &s.Protocols
	switch kind, _, _ := f.Kind(); kind {
	case "hiccups", "tcp_fallback":
		l := s.Fleet.Link
		f.link(&l)
		if err := l.Validate(); err != nil {
			return errors.New(strings.ReplaceAll(err.Error(), "link.", ""))
		}
	case "version":
		return s.checkVersion(f.Version)
	case "event_drop", "event_loss", "event_garbage", "event_duplicate", "no_replay":
		if p.KVEvents == nil && p.ForwardPasses == nil {
			return fmt.Errorf("%s: needs protocols.kv_events or protocols.forward_passes", kind)
		}
	case "agent_death", "agent_stall":
		if p.NIXL == nil {
			return fmt.Errorf("%s: needs protocols.nixl", kind)
		}
	case "gpu", "xid", "ecc", "gpu_count", "driver_reload":
		if p.NVML == nil {
			return fmt.Errorf("%s: needs protocols.nvml", kind)
		}
	}
	return nil
}

// checkVersion opens a book of that release for every pool that would have to speak it.
func (s *Scenario) checkVersion(v *Version) error {
	first := 0
	for _, p := range s.Fleet.Pools {
		if v.Worker == nil || (*v.Worker >= first && *v.Worker < first+p.Workers) {
			if _, err := engine.New(p.Engine, engine.Facts{Version: v.Version, BlockSize: 16, Blocks: 2, MaxModelTokens: 16}); err != nil {
				_, why, _ := strings.Cut(err.Error(), "version: ")
				return fmt.Errorf("version.version: %s of %s", why, p.Engine)
			}
		}
		first += p.Workers
	}
	return nil
}

// overlap tells whether two faults of one kind, in order of time, would be in force at once: the end of the first would end the second.
func overlap(a, b *Fault) bool {
	kindA, valueA, _ := a.Kind()
	kindB, valueB, _ := b.Kind()
	if kindA != kindB || Once(kindA) || a.For == 0 || b.At >= a.At+a.For {
		return false
	}
	wa, wb := target(valueA), target(valueB)
	return wa == nil || wb == nil || *wa == *wb
}
