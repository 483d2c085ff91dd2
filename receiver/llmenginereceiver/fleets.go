package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"hash/maphash"
	"sync"

	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
)

// fleets are the merged views of caches that receivers of one factory share, by the name of the fleet: receiver_creator starts a
// receiver for each engine. A fleet goes when its last worker does.
type fleets struct {
	seed   uint64 // of the workers' indexes
	mu     sync.Mutex
	byName map[string]*sharedFleet
}

// sharedFleet is one of them. Its first holder speaks for it.
type sharedFleet struct {
	view    *kvcache.Fleet
	holders []*streamWorker     // workers whose events are followed
	seen    map[fleetMember]int // workers that are scraped or followed, by how often
}

// fleetMember is a worker by its service.instance.id.
type fleetMember string

func newFleets() *fleets {
	return &fleets{seed: maphash.Bytes(maphash.MakeSeed(), nil), byName: make(map[string]*sharedFleet)}
}

func (f *fleets) get(name string) *sharedFleet {
	s := f.byName[name]
	if s == nil {
		s = &sharedFleet{seen: make(map[fleetMember]int)}
		f.byName[name] = s
	}
	return s
}

func (f *fleets) drop(name string) {
	if s := f.byName[name]; len(s.holders) == 0 && len(s.seen) == 0 {
		delete(f.byName, name)
	}
}

// join adds a worker whose events are followed, and returns the view. The first one says how much memory the view may take.
func (f *fleets) join(name string, w *streamWorker, memory int) *kvcache.Fleet {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.get(name)
	if s.view == nil {
		s.view = kvcache.NewFleet(memory / kvcache.FleetBlockBytes)
	}
	s.holders = append(s.holders, w)
	return s.view
}

func (f *fleets) leave(name string, w *streamWorker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.get(name)
	for i, holder := range s.holders {
		if holder == w {
			s.holders = append(s.holders[:i], s.holders[i+1:]...)
			break
		}
	}
	f.drop(name)
}

// see counts a worker of a fleet, and unsee takes that back.
func (f *fleets) see(name string, m fleetMember) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.get(name).seen[m]++
}

func (f *fleets) unsee(name string, m fleetMember) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.get(name)
	if s.seen[m]--; s.seen[m] <= 0 {
		delete(s.seen, m)
	}
	f.drop(name)
}

// of returns what a fleet holds, the number of its workers, and whether this worker speaks for it.
func (f *fleets) of(name string, w *streamWorker) (view kvcache.View, workers int, speaks bool) {
	f.mu.Lock()
	s := f.get(name)
	speaks = len(s.holders) > 0 && s.holders[0] == w
	workers = max(len(s.seen), len(s.holders))
	shared := s.view
	f.drop(name)
	f.mu.Unlock()
	if shared == nil {
		return view, workers, false
	}
	return shared.View(), workers, speaks
}
