package nixl

import "sync"

// staging is the queue between the threads of an agent and its exporter. When it is full it refuses the new and keeps the old.
type staging struct {
	limit int

	mu      sync.Mutex
	live    []event
	drained []event
	dropped uint64 // since the last drain
	offered uint64
	refused uint64
	closed  bool // a dead agent tells nothing
}

// push takes all events or none.
func (s *staging) push(events []event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	n := uint64(len(events))
	s.offered += n
	if len(events) > s.limit-len(s.live) {
		s.dropped += n
		s.refused += n
		return
	}
	s.live = append(s.live, events...)
}

// drain empties the queue. What it returns is good until the next drain.
func (s *staging) drain() (events []event, dropped uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live, s.drained = s.drained[:0], s.live
	dropped, s.dropped = s.dropped, 0
	return s.drained, dropped
}

// close ends the queue and says how many events were in it.
func (s *staging) close() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return len(s.live)
}
