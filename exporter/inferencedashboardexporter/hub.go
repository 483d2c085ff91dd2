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
	welcome func(s *snapshot) any // makes the first message of a page

	mu     sync.Mutex
	last   *snapshot // what the connected pages know
	spoke  time.Time // when the last message went out
	subs   map[chan []byte]struct{}
	closed bool
}

func newHub(welcome func(*snapshot) any) *hub {
	return &hub{
		welcome: welcome,
		last:    emptySnapshot(),
		subs:    map[chan []byte]struct{}{},
	}
}

// subscribe returns a channel of frames that begins with everything. It is closed when the page is too slow or the hub closes.
func (h *hub) subscribe() (chan []byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errClosed
	}
	if len(h.subs) >= maxSubscribers {
		return nil, errTooManySubscribers
	}
	first, err := event("snapshot", h.welcome(h.last))
	if err != nil {
		return nil, err
	}
	c := make(chan []byte, subscriberBuffer)
	c <- first
	h.subs[c] = struct{}{}
	return c, nil
}

func (h *hub) unsubscribe(c chan []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, c)
}

// publish tells every page what changed, or that it is still there after a heartbeat without change. It returns how many pages
// were disconnected.
func (h *hub) publish(s *snapshot, now time.Time) (dropped int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.last
	h.last = s
	if h.closed || len(h.subs) == 0 {
		return 0, nil
	}
	m := changes(before, s)
	if m.empty() && now.Sub(h.spoke) < heartbeat {
		return 0, nil
	}
	frame, err := event("update", m)
	if err != nil {
		return 0, err
	}
	h.spoke = now
	for c := range h.subs {
		select {
		case c <- frame:
		default:
			delete(h.subs, c)
			close(c)
			dropped++
		}
	}
	return dropped, nil
}

func (h *hub) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs)
}

// close disconnects every page and takes no more.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for c := range h.subs {
		delete(h.subs, c)
		close(c)
	}
}
