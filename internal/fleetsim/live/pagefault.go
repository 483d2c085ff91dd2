package live

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// PageFault is what goes wrong between an engine's HTTP server and whoever scrapes it. The zero value is no fault.
type PageFault struct {
	Down       bool          // the process is not there: the connection ends without an answer
	Hang       bool          // accept, then never answer
	Delay      time.Duration // before the answer
	Status     int           // answer with this code instead; 0: as usual
	Truncate   float64       // share of the body that is cut off, 0..1
	LabelChurn bool          // a label that differs on every scrape, on every series
}

// faultyPage puts a PageFault in front of a handler. It is safe for concurrent use.
type faultyPage struct {
	inner http.Handler
	clock Clock

	mu      sync.Mutex
	fault   PageFault
	changed chan struct{} // closed when the fault changes: a hanging request looks again
	scrapes int
}

func newFaultyPage(inner http.Handler, clock Clock) *faultyPage {
	return &faultyPage{inner: inner, clock: clock, changed: make(chan struct{})}
}

// set replaces the fault in force; requests that hang because of the old one go on under the new one.
func (p *faultyPage) set(f PageFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
	close(p.changed)
	p.changed = make(chan struct{})
}

// change alters the fault in force.
func (p *faultyPage) change(f func(*PageFault)) {
	fault := p.get()
	f(&fault)
	p.set(fault)
}

// get is the fault in force.
func (p *faultyPage) get() PageFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault
}

// now is the fault in force and a channel that is closed when it changes.
func (p *faultyPage) now() (PageFault, <-chan struct{}, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scrapes++
	return p.fault, p.changed, p.scrapes
}

func (p *faultyPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault, changed, scrape := p.now()
	for fault.Hang {
		select {
		case <-r.Context().Done():
			return
		case <-changed:
			fault, changed, scrape = p.now()
		}
	}
	if fault.Down {
		panic(http.ErrAbortHandler)
	}
	if fault.Delay > 0 {
		over, stop := p.clock.After(fault.Delay)
		defer stop()
		select {
		case <-r.Context().Done():
			return
		case <-over:
		}
	}
	if fault.Status != 0 {
		http.Error(w, fmt.Sprintf("fault: status %d", fault.Status), fault.Status)
		return
	}
	if fault.Truncate == 0 && !fault.LabelChurn {
		p.inner.ServeHTTP(w, r)
		return
	}
	body := &capture{header: w.Header(), status: http.StatusOK}
	p.inner.ServeHTTP(body, r)
	page := body.Bytes()
	if fault.LabelChurn {
		page = churn(page, scrape)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(body.status)
	// With a length announced and less written, the server ends the connection: the client sees an unexpected end.
	_, _ = w.Write(page[:len(page)-int(fault.Truncate*float64(len(page)))])
}

// capture holds an answer back.
type capture struct {
	bytes.Buffer
	header http.Header
	status int
}

func (c *capture) Header() http.Header    { return c.header }
func (c *capture) WriteHeader(status int) { c.status = status }

// churn adds the label replica_uid to every sample of an exposition.
func churn(page []byte, scrape int) []byte {
	label := fmt.Appendf(nil, "replica_uid=\"%08x\"", scrape)
	out := make([]byte, 0, len(page)+len(page)/4)
	for line := range bytes.Lines(page) {
		open := bytes.IndexByte(line, '{')
		space := bytes.IndexByte(line, ' ')
		switch {
		case line[0] == '#' || space < 0:
			out = append(out, line...)
		case open >= 0 && open < space:
			out = append(out, line[:open+1]...)
			out = append(out, label...)
			if line[open+1] != '}' {
				out = append(out, ',')
			}
			out = append(out, line[open+1:]...)
		default:
			out = append(out, line[:space]...)
			out = append(out, '{')
			out = append(out, label...)
			out = append(out, '}')
			out = append(out, line[space:]...)
		}
	}
	return out
}
