package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

// firsts returns what the count v of a stream leaves out: one for each request that a histogram of the same worker has seen. What is not
// on the page, or in this part of what is fed, makes it no less than it was: only an engine that began anew takes back what it counted.
//
// ok is false where the stream was never told and the rest of its scrape may have the histogram, as a batch that was split does: what it
// counted before would later look like what came since.
func (o *output) firsts(w *worker, s *stream, v float64) (seen float64, ok bool) {
	b, anew := o.book, o.beganAnew(s, v)
	index := b.adds(w, s)
	for _, other := range w.streams {
		if other.histogram == nil || other.family.Index != index {
			continue
		}
		ok = true
		if anew {
			seen += other.histogram.count.fresh(b.scrape)
		} else {
			seen += other.histogram.count.held()
		}
	}
	if !ok && !b.whole && s.tracker.start == 0 && b.now.at == b.began {
		return 0, false
	}
	if !anew {
		seen = max(seen, s.firsts)
	}
	s.firsts = seen
	return seen, true
}

// adds returns the index of the family whose count is added to a stream of a worker: the first that the target has, or where the worker
// has none of that, another. It is -1 before there is one: one that takes the place of a better that only comes later would differ.
func (b *Book) adds(w *worker, s *stream) int {
	if !b.shown[s.family.Adds[0]] {
		return -1
	}
	for _, index := range s.family.Adds {
		for _, other := range w.streams {
			if other.family.Index == index {
				return index
			}
		}
	}
	return -1
}

// held adds up what all parts counted, be they on the page or not.
func (p *parts) held() (v float64) {
	if p.first == nil {
		return 0
	}
	if p.rest != nil {
		v = p.base
	}
	for i := range p.len() {
		if c := p.at(i); countable(c.value) {
			v += c.value
		}
	}
	return v
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
