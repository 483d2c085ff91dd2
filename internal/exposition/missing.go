package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
)

// lookEvery is after how many pages the missing inputs are looked for again: what is off stays off until the engine restarts.
const lookEvery = 12

// noteMissing looks for inputs of the workers that are off.
func (b *Book) noteMissing() {
	if b.engine == nil || b.looked != 0 && b.scrape < b.looked+lookEvery && b.lookedFor == b.version {
		return
	}
	b.looked, b.lookedFor = b.scrape, b.version
	for _, w := range b.workers {
		w.missing = b.engine.Missing(dialect.Seen{
			Version: b.version, Connected: b.set.Connected,
			Value: func(family string) (v float64, shown bool) { return b.valueOf(w, family) },
		})
	}
}

// valueOf returns what the series of a family on a worker or in front of it add up to, of a histogram its count.
func (b *Book) valueOf(w *worker, family string) (v float64, shown bool) {
	for _, w := range []*worker{w, b.shared} {
		for _, s := range w.streams {
			if s.family.Name != family {
				continue
			}
			shown = true
			n, _ := s.value.value(b.scrape)
			if s.histogram != nil {
				n, _ = s.histogram.count.value(b.scrape)
			}
			v += n
		}
	}
	return v, shown || b.showsName(family)
}

// showsName reports whether a family is on the page, be it one that is not emitted.
func (b *Book) showsName(family string) bool {
	for _, d := range b.dialects {
		if d.Has(family, b.shown) {
			return true
		}
	}
	return false
}
