package fleetsim

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// clients are those who see requests from end to end: the book of a front end before the fleet. Without one they do nothing.
type clients struct{ book engine.Frontend }

// OpenFrontend puts a front end of the given name (engine.NameDynamo) before the fleet, of which it knows what the workers that
// answer know of themselves. To see every request it must be opened before the first Advance.
func (f *Fleet) OpenFrontend(name string) (engine.Frontend, error) {
	facts := f.workers[len(f.workers)-1].facts
	facts.Start, facts.Version = f.cfg.StartTime, ""
	book, err := engine.NewFrontend(name, facts)
	if err != nil {
		return nil, err
	}
	f.clients.book = book
	return book, nil
}

func (c *clients) sent(r *request) {
	if c.book != nil {
		c.book.Arrived(r.seen())
	}
}

func (c *clients) firstToken(r *request) {
	if c.book != nil {
		c.book.FirstToken(r.seen())
	}
}

func (c *clients) intervals(d time.Duration, n int) {
	if c.book != nil {
		c.book.Intervals(d, n)
	}
}

func (c *clients) answered(r *request) {
	if c.book != nil {
		c.book.Finished(r.seen())
	}
}

// gone is told of a request that ends without its answer.
func (c *clients) gone(r *request) {
	if c.book != nil {
		told := r.seen()
		told.Aborted = true
		c.book.Finished(told)
	}
}

// seen is a request as its client sees it: from its first sending on, whatever happened behind the front end.
func (r *request) seen() *engine.Request {
	told := r.told()
	told.Arrival = r.At
	return told
}
