package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

// stale reports whether something that is remembered was last seen before a scrape.
func (b *Book) stale(before uint64) bool {
	for _, c := range b.known {
		if c.seen < before {
			return true
		}
	}
	for _, f := range b.foreign {
		if f.seen < before {
			return true
		}
	}
	return false
}

// forget drops what was last seen before a scrape, and looks anew at what is shown.
func (b *Book) forget(before uint64) {
	b.drop(before)
	clear(b.shown)
	for _, g := range b.groups {
		g.show(b.shown)
	}
	clear(b.foreign)
}

// drop drops the series that were last seen before a scrape.
func (b *Book) drop(before uint64) {
	b.layout.learnt(false)
	for raw, c := range b.known {
		if c.seen < before {
			delete(b.known, raw)
		}
	}
	b.same = nil
	for key, g := range b.groups {
		if !g.sweep(before) {
			delete(b.groups, key)
		}
	}
	b.changed = true
	clear(b.fed)
}
