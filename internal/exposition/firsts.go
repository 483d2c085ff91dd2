package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

// firsts returns what the count v of a stream leaves out on this page: one for each request that a histogram of the same worker has seen.
// What is not on the page makes it no less than it was: only an engine that began anew takes back what it counted.
func (o *output) firsts(w *worker, s *stream, v float64) float64 {
	seen := 0.0
	for _, other := range w.streams {
		if other.histogram != nil && other.family.Index == s.family.Adds {
			seen += other.histogram.count.fresh(o.book.scrape)
		}
	}
	if !o.beganAnew(s, v) {
		seen = max(seen, s.firsts)
	}
	s.firsts = seen
	return seen
}

// fresh adds up the parts that a page has, those alone.
func (p *parts) fresh(scrape uint64) (v float64) {
	if p.first == nil {
		return 0
	}
	for i := range p.len() {
		if c := p.at(i); c.seen == scrape && countable(c.value) {
			v += c.value
		}
	}
	return v
}
