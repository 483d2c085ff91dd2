package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"errors"
	"sync"
	"time"
)

const (
	// maxSubscribers bounds the pages that are connected at once.
	maxSubscribers = 64
	// heartbeat is the longest time without a message. A page that hears nothing for three of them says that it lost its connection.
	heartbeat = 5 * time.Second
)

var (
	errTooManySubscribers = errors.New("too many pages are connected")
	errClosed             = errors.New("the dashboard is shutting down")
)

// hub passes messages on to the connected pages. A page that does not keep up is told everything anew instead of all that it missed; it holds
// up nobody. One that takes nothing at all is disconnected.
type hub struct {
	register *register
	welcome  func(s *snapshot) any // makes the first message of a page

	mu        sync.Mutex
	last      *snapshot // without subjects
	audiences map[look]*audience
	subs      int
	stuck     int64 // pages that were disconnected since the last update
	closed    bool
}

func newHub(r *register, welcome func(*snapshot) any) *hub {
	return &hub{register: r, welcome: welcome, last: emptySnapshot(), audiences: map[look]*audience{}}
}

// subscribe connects a page. The first message that waits for it is everything that is looked at.
func (h *hub) subscribe(l look) (*subscriber, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errClosed
	}
	if h.subs >= maxSubscribers {
		return nil, errTooManySubscribers
	}
	a, ok := h.audiences[l]
	if !ok {
		a = newAudience(l)
		a.last = a.see(h.last, h.register)
	}
	first, err := event("snapshot", h.welcome(a.last))
	if err != nil {
		return nil, err
	}
	s := &subscriber{audience: a, ready: make(chan struct{}, 1)}
	s.put(first)
	a.subs[s] = struct{}{}
	h.audiences[l] = a
	h.subs++
	return s, nil
}

// unsubscribe takes a page out; stuck says that it took too long over a message.
func (h *hub) unsubscribe(s *subscriber, stuck bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if stuck {
		h.stuck++
	}
	h.remove(s)
}

// remove takes a page out of its audience, and forgets one that nobody is left of.
func (h *hub) remove(s *subscriber) {
	a := s.audience
	if _, ok := a.subs[s]; !ok {
		return
	}
	delete(a.subs, s)
	h.subs--
	if len(a.subs) == 0 {
		delete(h.audiences, a.look)
	}
}

// publish tells every page what changed of what it looks at, or that it is still there after a heartbeat without change. It returns how
// many pages were disconnected since the last time because they were stuck.
func (h *hub) publish(s *snapshot, now time.Time) (dropped int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = s
	dropped, h.stuck = h.stuck, 0
	var all *snapshot // the same for everyone
	if whole(s) && len(h.audiences) > 0 {
		all = seeAll(s, h.register)
	}
	for _, a := range h.audiences {
		seen := all
		if seen == nil {
			seen = a.see(s, h.register)
		}
		err = errors.Join(err, h.tell(a, seen, now))
	}
	return dropped, err
}

// tell sends one audience what changed.
func (h *hub) tell(a *audience, seen *snapshot, now time.Time) error {
	m := changes(a.last, seen)
	a.last = seen
	if m.empty() && now.Sub(a.spoke) < heartbeat {
		return nil
	}
	frame, err := event("update", m)
	if err != nil {
		return err
	}
	a.spoke = now
	for s := range a.subs {
		s.put(frame)
	}
	return nil
}

func (h *hub) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.subs
}

// close disconnects every page and takes no more.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, a := range h.audiences {
		for s := range a.subs {
			close(s.ready)
			h.remove(s)
		}
	}
}
