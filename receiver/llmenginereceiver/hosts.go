package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"os"
	"sync"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// shared is what the receivers of one factory share: receiver_creator starts a receiver for each engine.
type shared struct {
	fleets   *fleets
	hosts    *hosts
	statuses *statuses
	ports    *scrapedPorts
	tables   *tables
	buffers  *buffers
	wires    *wires
}

func newShared() shared {
	return shared{
		fleets: newFleets(), hosts: &hosts{byPath: make(map[string]*host)}, statuses: newStatuses(), ports: newScrapedPorts(), tables: newTables(),
		buffers: newBuffers(pooledBuffers), wires: new(wires),
	}
}

// tableAge is for how long one look through all processes serves every receiver.
const tableAge = 10 * time.Second

// hosts are the looks through processes that receivers share, by the path of /proc. One goes when its last user does.
type hosts struct {
	mu     sync.Mutex
	byPath map[string]*host
}

// host looks through the processes of a host. It is safe for concurrent use.
type host struct {
	all    *hosts
	path   string
	users  int // guarded by all.mu
	reader *hostproc.Reader
	// metrics are those that what is found is told by: one table for all targets, which would be larger than the rest of each.
	metrics map[string]signal.Metric

	mu    sync.Mutex
	table *hostproc.Table
	at    time.Time
}

// open returns the look through a /proc, nil for "".
func (h *hosts) open(path string) *host {
	if path == "" {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.byPath[path]
	if one == nil {
		one = &host{all: h, path: path, reader: hostproc.New(os.DirFS(path)), metrics: signal.Index(signal.All())}
		h.byPath[path] = one
	}
	one.users++
	return one
}

// close gives a look back; nil is none.
func (h *host) close() {
	if h == nil {
		return
	}
	h.all.mu.Lock()
	defer h.all.mu.Unlock()
	if h.users--; h.users == 0 {
		delete(h.all.byPath, h.path)
	}
}

// look returns the processes, as of tableAge ago at most and not before since.
func (h *host) look(c clock, since time.Time) (*hostproc.Table, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := c.Now()
	if h.table != nil && now.Sub(h.at) < tableAge && !h.at.Before(since) {
		return h.table, nil
	}
	table, err := h.reader.Table()
	if err != nil {
		return nil, err
	}
	h.table, h.at = table, now
	return table, nil
}
