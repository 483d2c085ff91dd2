package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import "regexp"

// noSlot is the slot of an agent that has a name.
const noSlot = -1

// slots gives small numbers to agents whose names are random, the lowest that is free: a restarted engine takes its old series over
// instead of making new ones.
type slots struct {
	random *regexp.Regexp
	taken  map[int]*agent
	names  map[string]*agent
}

func newSlots() *slots {
	return &slots{
		// Twelve hexadecimal digits in a row, which is also how a UUID ends, wherever in the name.
		random: regexp.MustCompile(`(?i)[0-9a-f]{12}`),
		taken:  make(map[int]*agent), names: make(map[string]*agent),
	}
}

// assign gives an agent a slot if its name does not do. A slot of an agent that is over is taken away from it; evict is called before.
func (s *slots) assign(a *agent, mode NameMode, over func(*agent) bool, evict func(*agent)) {
	if a.slot != noSlot {
		return
	}
	key := a.source() + "\x00" + a.name
	if holder := s.names[key]; mode == NameKeep || mode == NameAuto && !s.random.MatchString(a.name) {
		if holder == nil || holder == a {
			s.names[key] = a
			return
		}
		// Two agents of one name, in two directories: the second is told apart by a slot.
	}
	for n := 0; ; n++ {
		holder := s.taken[n]
		if holder != nil && over(holder) {
			evict(holder)
			holder.muted, holder.slot, holder = true, noSlot, nil
		}
		if holder == nil {
			s.taken[n], a.slot = a, n
			return
		}
	}
}

// free gives up what an agent holds.
func (s *slots) free(a *agent) {
	if a.slot != noSlot && s.taken[a.slot] == a {
		delete(s.taken, a.slot)
	}
	if key := a.source() + "\x00" + a.name; s.names[key] == a {
		delete(s.names, key)
	}
	a.slot = noSlot
}
