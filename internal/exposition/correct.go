package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import "slices"

// correct makes up for parts of a counter that began anew without the others, as the processes behind one number do: what they had
// counted stays in the sum. When all began anew, or the engine says so (anew), nothing stays. before is the value of the page before,
// which was the only part's where there was one.
func (p *parts) correct(scrape uint64, anew bool, before float64) {
	if p.single() {
		return
	}
	if p.last == nil {
		p.last = append(p.last, before)
	}
	for len(p.last) < p.len() {
		p.last = append(p.last, 0)
	}
	fell := 0
	for i := range p.len() {
		if c := p.at(i); c.seen == scrape && c.value < p.last[i] {
			fell++
		}
	}
	switch {
	case anew || fell == p.len():
		p.drop(scrape)
	case fell > 0:
		for i := range p.len() {
			if p.at(i).value < p.last[i] {
				p.base += p.last[i]
			}
		}
	}
	for i := range p.len() {
		p.last[i] = p.at(i).value
	}
}

// correct does the same for a histogram. What began anew is told by the counts of the processes, and is made up for in every bucket. When
// all began anew nothing stays, which shows in the value.
func (h *histogram) correct(scrape uint64) {
	counts := &h.count
	if counts.first == nil && len(h.buckets) > 0 {
		counts = &h.buckets[len(h.buckets)-1].parts // +Inf has the count
	}
	if counts.first == nil || counts.single() {
		return
	}
	var fallen []uint64
	for i, last := range counts.last {
		if c := counts.at(i); c.seen == scrape && c.value < last {
			fallen = append(fallen, c.owner)
		}
	}
	if len(fallen) == counts.len() {
		fallen = nil
	}
	h.count.keep(fallen)
	h.sum.keep(fallen)
	for i := range h.buckets {
		h.buckets[i].parts.keep(fallen)
	}
}

// keep adds what the parts of these owners had counted to the base, and notes what all have.
func (p *parts) keep(fallen []uint64) {
	if p.first == nil {
		return
	}
	r := p.room()
	for i, last := range r.last {
		if slices.Contains(fallen, p.at(i).owner) {
			r.base += last
		}
	}
	r.last = r.last[:0]
	for i := range p.len() {
		r.last = append(r.last, p.at(i).value)
	}
}

// drop forgets what the parts hold beyond the page of a scrape. It reports whether that was anything.
func (p *parts) drop(scrape uint64) (held bool) {
	if p.first == nil {
		return false
	}
	if p.rest != nil {
		held, p.base = p.base != 0, 0
	}
	for i := range p.len() {
		c := p.at(i)
		if c.seen != scrape && c.value != 0 {
			c.value, held = 0, true
		}
		if p.rest != nil && i < len(p.last) {
			p.last[i] = c.value
		}
	}
	return held
}

// drop forgets what the histogram holds beyond the page of a scrape. It reports whether that was anything.
func (h *histogram) drop(scrape uint64) (held bool) {
	sum, count := h.sum.drop(scrape), h.count.drop(scrape)
	held = sum || count
	for i := range h.buckets {
		held = h.buckets[i].parts.drop(scrape) || held
	}
	return held
}
