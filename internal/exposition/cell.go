package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"math"
	"slices"
)

// cell is where the value of one raw series lands.
type cell struct {
	value float64
	seen  uint64 // number of the scrape that wrote it
}

// parts are the series that make up one number. Nearly always there is one; several differ in labels that no table names.
type parts struct {
	first *cell
	more  []*cell
	most  bool // the parts all tell the same number, so the largest counts and not the sum
}

func (p *parts) add(c *cell) {
	if p.first == nil {
		p.first = c
		return
	}
	p.more = append(p.more, c)
}

// value returns the number as of a scrape. ok is false when no part was on the page.
func (p *parts) value(scrape uint64) (v float64, ok bool) {
	if p.first == nil {
		return 0, false
	}
	if p.first.seen == scrape {
		v, ok = p.first.value, true
	}
	for _, c := range p.more {
		switch {
		case c.seen != scrape:
		case !ok:
			v, ok = c.value, true
		case p.most:
			v = math.Max(v, c.value)
		default:
			v += c.value
		}
	}
	return v, ok
}

// since reports whether a page since a scrape had one of the parts.
func (p *parts) since(scrape uint64) bool {
	return p.first != nil && p.first.seen >= scrape || slices.ContainsFunc(p.more, func(c *cell) bool { return c.seen >= scrape })
}

// short reports whether a part that is remembered was not on the page of a scrape.
func (p *parts) short(scrape uint64) bool {
	if p.first != nil && p.first.seen != scrape {
		return true
	}
	for _, c := range p.more {
		if c.seen != scrape {
			return true
		}
	}
	return false
}

// sweep drops the parts that were last seen before a scrape. It reports whether any are left.
func (p *parts) sweep(before uint64) bool {
	all := p.more
	if p.first != nil {
		all = append(all, p.first)
	}
	p.first, p.more = nil, nil
	for _, c := range all {
		if c.seen >= before {
			p.add(c)
		}
	}
	return p.first != nil
}
