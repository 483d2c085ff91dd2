package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"math"
	"slices"
)

// cell is where the value of one raw series lands.
type cell struct {
	value float64
	seen  uint64 // number of the scrape that wrote it
	// owner tells whose part of a histogram it is: the series of one process differ in their bounds only.
	owner uint64
	// labels is a hash of the name and the labels in their order by name: their order on the pages may differ. 0: not read from a page.
	labels uint64
}

// parts are the series that make up one number. Nearly always there is one; several differ in labels that no table names.
type parts struct {
	first *cell
	*rest      // nil as long as there is one part and nothing is held
	most  bool // the parts all tell the same number, so the largest counts and not the sum
	// hold counts a part that is not on the page as it was: what a counter has counted does not go away with one of its series.
	hold bool
}

// rest is what few numbers need beside their first part.
type rest struct {
	more []*cell
	base float64   // with hold: what was counted by parts that were forgotten, or before they began anew
	last []float64 // by part, of a counter with several: as of the page before
}

// room returns the rest, made where there is none.
func (p *parts) room() *rest {
	if p.rest == nil {
		p.rest = &rest{}
	}
	return p.rest
}

// single reports whether the number is that of the first part.
func (p *parts) single() bool { return p.rest == nil || len(p.more) == 0 && p.base == 0 }

func (p *parts) add(c *cell) {
	if p.first == nil {
		p.first = c
		return
	}
	r := p.room()
	r.more = append(r.more, c)
}

// value returns the number as of a scrape. ok is false when no part was on the page.
func (p *parts) value(scrape uint64) (v float64, ok bool) {
	if p.first == nil {
		return 0, false
	}
	if p.single() {
		return p.first.value, p.first.seen == scrape
	}
	v = p.base
	for i := range p.len() {
		c := p.at(i)
		here := c.seen == scrape
		switch {
		case !here && !p.hold:
			continue
		case p.most && ok:
			v = math.Max(v, c.value)
		default:
			v += c.value
		}
		ok = ok || here
	}
	return v, ok
}

func (p *parts) len() int {
	if p.rest == nil {
		return 1
	}
	return 1 + len(p.more)
}

func (p *parts) at(i int) *cell {
	if i == 0 {
		return p.first
	}
	return p.more[i-1]
}

// since reports whether a page since a scrape had one of the parts.
func (p *parts) since(scrape uint64) bool {
	return p.first != nil && p.first.seen >= scrape ||
		p.rest != nil && slices.ContainsFunc(p.more, func(c *cell) bool { return c.seen >= scrape })
}

// short reports whether a part that is remembered was not on the page of a scrape.
func (p *parts) short(scrape uint64) bool {
	if p.first != nil && p.first.seen != scrape {
		return true
	}
	return p.rest != nil && slices.ContainsFunc(p.more, func(c *cell) bool { return c.seen != scrape })
}

// sweep drops the parts that were last seen before a scrape. It reports whether any are left.
func (p *parts) sweep(before uint64) bool {
	if p.first == nil {
		return false
	}
	old := *p
	p.first, p.rest = nil, nil
	if old.rest != nil && old.base != 0 {
		p.room().base = old.base
	}
	for i := range old.len() {
		c := old.at(i)
		switch {
		case c.seen >= before:
			p.add(c)
			if old.rest != nil && i < len(old.last) {
				r := p.room()
				r.last = append(r.last, old.last[i])
			}
		case p.hold:
			p.room().base += c.value
		}
	}
	return p.first != nil
}
