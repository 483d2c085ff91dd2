package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import "context"

// maxBacklog is how much may wait for a page, in bytes, before it is told everything anew instead. One message may be longer.
const maxBacklog = 256 << 10

// subscriber is a connected page. All but ready is the hub's, under its lock.
type subscriber struct {
	audience *audience
	ready    chan struct{} // holds one where something waits; closed with the hub

	waiting [][]byte
	bytes   int  // of waiting
	behind  bool // more came than may wait: it needs everything, of the moment in which it takes it
}

// put adds a message to what waits. Where that is too much nothing does: what a page knows after all of it, it is told in one.
func (s *subscriber) put(frame []byte) {
	switch {
	case s.behind:
		return
	case s.bytes > 0 && s.bytes+len(frame) > maxBacklog:
		s.waiting, s.bytes, s.behind = nil, 0, true
	default:
		s.waiting = append(s.waiting, frame)
		s.bytes += len(frame)
	}
	s.wake()
}

// take returns the first message that waits, or that nothing does and the page needs everything.
func (s *subscriber) take() (frame []byte, behind bool) {
	if s.behind {
		s.behind = false
		return nil, true
	}
	if len(s.waiting) == 0 {
		return nil, false
	}
	frame, s.waiting[0] = s.waiting[0], nil
	s.waiting = s.waiting[1:]
	s.bytes -= len(frame)
	if len(s.waiting) > 0 {
		s.wake()
	}
	return frame, false
}

func (s *subscriber) wake() {
	select {
	case s.ready <- struct{}{}:
	default: // it is awake
	}
}

// next waits for the next message to a page. It fails with errClosed when the hub closes and with that of ctx when that ends.
func (h *hub) next(ctx context.Context, s *subscriber) ([]byte, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case _, open := <-s.ready:
			if !open {
				return nil, errClosed
			}
		}
		h.mu.Lock()
		frame, behind := s.take()
		known := s.audience.last
		h.mu.Unlock()
		if behind { // nobody writes to a snapshot, and what comes after it waits
			return event("snapshot", h.welcome(known))
		}
		if frame != nil {
			return frame, nil
		}
	}
}
