package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"errors"
	"sync"
	"time"
)

const (
	// maxSubscribers bounds the pages that are connected at once.
	maxSubscribers = 64
	// subscriberBuffer is how many messages a page may be behind before it is disconnected. It then reconnects and gets everything.
	subscriberBuffer = 16
	// heartbeat is the longest time without a message. A page that hears nothing for three of them says that it lost its connection.
	heartbeat = 5 * time.Second
)

var (
	errTooManySubscribers = errors.New("too many pages are connected")
	errClosed             = errors.New("the dashboard is shutting down")
)

// hub passes messages on to the connected pages. A page that does not keep up is disconnected instead of holding up the others.
type hub struct {
	register *register
	welcome  func(s *snapshot) any // makes the first message of a page

	mu        sync.Mutex
	last      *snapshot // without subjects
	audiences map[look]*audience
	subs      int
	closed    bool
}

func newHub(r *register, welcome func(*snapshot) any) *hub {
	return &hub{register: r, welcome: welcome, last: emptySnapshot(), audiences: map[look]*audience{}}
}

// subscribe returns a channel of frames that begins with everything that is looked at. It is closed when the page is too slow or the hub
// closes.
func (h *hub) subscribe(l look) (chan []byte, error) {
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
	c := make(chan []byte, subscriberBuffer)
	c <- first
	a.subs[c] = struct{}{}
	h.audiences[l] = a
	h.subs++
	return c, nil
}

func (h *hub) unsubscribe(c chan []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.audiences {
		h.remove(a, c)
	}
}

// remove takes a page out of an audience, and forgets one that nobody is left of.
func (h *hub) remove(a *audience, c chan []byte) {
	if _, ok := a.subs[c]; !ok {
		return
	}
	delete(a.subs, c)
	h.subs--
	if len(a.subs) == 0 {
		delete(h.audiences, a.look)
	}
}

// publish tells every page what changed of what it looks at, or that it is still there after a heartbeat without change. It returns how
// many pages were disconnected.
func (h *hub) publish(s *snapshot, now time.Time) (dropped int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = s
	var all *snapshot // the same for everyone
	if whole(s) && len(h.audiences) > 0 {
		all = seeAll(s, h.register)
	}
	for _, a := range h.audiences {
		seen := all
		if seen == nil {
			seen = a.see(s, h.register)
		}
		n, failed := h.tell(a, seen, now)
		dropped += n
		err = errors.Join(err, failed)
	}
	return dropped, err
}

// tell sends one audience what changed.
func (h *hub) tell(a *audience, seen *snapshot, now time.Time) (dropped int64, err error) {
	m := changes(a.last, seen)
	a.last = seen
	if m.empty() && now.Sub(a.spoke) < heartbeat {
		return 0, nil
	}
	frame, err := event("update", m)
	if err != nil {
		return 0, err
	}
	a.spoke = now
	for c := range a.subs {
		select {
		case c <- frame:
		default:
			close(c)
			h.remove(a, c)
			dropped++
		}
	}
	return dropped, nil
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
		for c := range a.subs {
			close(c)
			h.remove(a, c)
		}
	}
}
