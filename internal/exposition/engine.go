package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
)

// foreign is a family that makes no points.
type foreign struct {
	cell                     // nobody reads its value
	dialect *dialect.Dialect // that it shows for certain, or nil
}

// showed notes that a dialect is on the page. The engine is the first in the order of the dialects.
func (b *Book) showed(d *dialect.Dialect) {
	if slices.Contains(b.dialects, d) {
		return
	}
	b.newcomer = true
	b.dialects = append(b.dialects, d)
	b.drifts = nil
	b.changed = true
	if d.Before(b.engine) {
		b.engine, b.variant = d, ""
	}
}

// replaced reports whether another engine answers now: the page has nothing of the one before, and something that no page had. One
// that only stopped telling, as under a program that serves beside it, is not replaced.
func (b *Book) replaced() bool {
	return b.newcomer && b.former != nil && b.whole && !b.damaged() && !b.onPage(b.former, b.scrape)
}

// onPage reports whether a page since a scrape had series of a dialect.
func (b *Book) onPage(d *dialect.Dialect, since uint64) bool {
	for _, g := range b.groups {
		if g.onPage(d, since) {
			return true
		}
	}
	for _, f := range b.foreign {
		if f.dialect == d && f.seen >= since {
			return true
		}
	}
	return false
}

func (g *group) onPage(d *dialect.Dialect, since uint64) bool {
	return slices.ContainsFunc(g.streams, func(s *stream) bool { return s.family.Dialect == d && s.since(since) }) ||
		slices.ContainsFunc(g.infos, func(in *info) bool {
			return in.family.Dialect == d && slices.ContainsFunc(in.series, func(s *infoSeries) bool { return s.cell.seen >= since })
		})
}

// startOver forgets the engine that is no longer there, at once: what it left would be taken for the new one's.
func (b *Book) startOver() {
	b.report.Restarted = true
	b.outdated, b.version, b.told = b.version, "", Told{}
	b.began = b.now.at
	b.iterations = nil
	b.several, b.mixed = false, false
	clear(b.roles)
	clear(b.handed)
	clear(b.observed)
	b.keepDialects(b.scrape)
	b.forget(b.scrape)
}

// keepDialects drops the dialects of which no page since a scrape had anything, with their drift, unless that were all: a quiet page
// says nothing of who wrote it.
func (b *Book) keepDialects(since uint64) {
	kept := slices.DeleteFunc(slices.Clone(b.dialects), func(d *dialect.Dialect) bool { return !b.onPage(d, since) })
	if len(kept) == 0 || len(kept) == len(b.dialects) {
		return
	}
	b.dialects, b.drifts, b.changed = kept, nil, true
	for family, d := range b.drift {
		if !slices.Contains(kept, d) {
			delete(b.drift, family)
		}
	}
	before := b.engine
	b.engine = nil
	for _, d := range kept {
		if d.Before(b.engine) {
			b.engine = d
		}
	}
	if b.engine != before {
		b.variant, b.evidence = "", dialect.Evidence{Has: b.has}
	}
}

// fresh returns a version, or "" where an engine told it that is no longer there.
func (b *Book) fresh(version string) string {
	if version == b.outdated {
		return ""
	}
	b.outdated = ""
	return version
}
