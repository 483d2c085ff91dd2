package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"cmp"
	"hash/maphash"
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
)

// sweepEvery is after how many pages a series that none of them had is forgotten, and how often that is looked for.
const sweepEvery = 60

// Settings of a Book.
type Settings struct {
	Dialects   *dialect.Set
	Identity   Identity
	Raw        bool        // the engine's own families too, untouched
	Connected  []string    // inputs (llm.source) that are read elsewhere, so that they are not missing
	Vocabulary *Vocabulary // nil: that of the default preset, made for this book alone
	MaxSeries  int         // series remembered; further ones are rejected
	Scope      string      // name of the instrumentation scope
	Version    string      // of the collector, for the scope
}

// Report says what became of a page.
type Report struct {
	BrokenLines      int
	RejectedLimit    int // series beyond MaxSeries
	RejectedLong     int
	RejectedBad      int // buckets without a bound
	Unreadable       int // points of delta temporality or exponential histograms
	NotNumbers       int // points not made because the value is NaN or infinite
	BadHistograms    int
	ShortPoints      int      // points not made because a broken or rejected line may hold a part of them
	Drift            []string // families that were found unknown on this page
	Vanished         []string // families that were found to have vanished
	Restarted        bool     // the engine began anew since the page before
	SeriesRemembered int
	Points           int
}

// Book remembers the series of one target. It is not safe for concurrent use.
type Book struct {
	set    Settings
	scrape uint64
	read   uint64 // the last scrape that was read to its end
	now    moment
	began  pcommon.Timestamp // of the first page
	report Report

	cleared uint64                      // scrape at which the limit on series last made room
	known   map[uint64]*cell            // by the hash of the raw bytes of the series
	same    map[uint64]*cell            // of known, by the hash of name and labels, while a page with new series is read
	foreign map[string]*foreign         // by family name: not mapped, or not to be emitted
	drift   map[string]*dialect.Dialect // families that the dialect does not know, and [vanished] ones
	drifts  []driftCount                // of drift; nil: to be counted
	groups  map[groupKey]*group
	shown   []bool                   // by family index: on the target's pages
	before  []bool                   // what was shown before the last restart; nil when that was looked at
	fed     map[string]*fedHistogram // of a target that somebody else scrapes
	whole   bool                     // the page that is read has everything that the target has
	starts  map[string]*tracker      // of the cumulative series that are forwarded untouched
	process cell                     // process_start_time_seconds
	layout  layout                   // of the pages

	engine    *dialect.Dialect   // nil until the first page that shows one
	dialects  []*dialect.Dialect // all that the pages showed
	former    *dialect.Dialect   // engine as of the page before
	newcomer  bool               // the page showed a dialect that none before had
	outdated  string             // version that an engine told that is no longer there
	declared  declaration
	evidence  dialect.Evidence
	variant   string
	version   string
	looked    uint64 // scrape at which the missing inputs were looked for; 0: they must be
	lookedFor string // version of the engine then

	workers    []*worker
	shared     *worker               // the target itself: what belongs to no worker
	changed    bool                  // groups or streams differ from what workers was made of
	roles      map[groupKey]string   // that the workers' resources have, from the first emission on
	handed     map[groupKey]*tracker // of the handoffs of prefill workers
	iterations *iterations           // nil where no records of iterations are read
	told       Told                  // by the engine beside its metrics
	// observed are roles that workers were seen to have.
	observed map[groupKey]string
	several  bool // the target has shown several ranks
	mixed    bool // the target has shown several models on one rank
	// succeeded are workers of which the page has nothing, but another model on their rank.
	succeeded []groupKey
	scratch   reading
}

// declaration is the TYPE line that the series below it belong to.
type declaration struct {
	family   []byte
	declared string
}

// NewBook makes an empty book.
func NewBook(set Settings) *Book {
	if set.Vocabulary == nil {
		set.Vocabulary = NewVocabulary("")
	}
	b := &Book{
		set:      set,
		known:    make(map[uint64]*cell),
		layout:   layout{seed: maphash.MakeSeed()},
		foreign:  make(map[string]*foreign),
		drift:    make(map[string]*dialect.Dialect),
		groups:   make(map[groupKey]*group),
		roles:    make(map[groupKey]string),
		observed: make(map[groupKey]string),
		handed:   make(map[groupKey]*tracker),
		shown:    make([]bool, set.Dialects.Len()),
		changed:  true,
	}
	b.evidence.Has = b.has
	return b
}

// Engine returns the engine that was found on the target's pages, or "".
func (b *Book) Engine() string {
	if b.engine == nil {
		return ""
	}
	return b.engine.Engine()
}

// About returns the pages on which the target's engine tells of itself, as far as they are worth a request.
func (b *Book) About() (pages []dialect.About) {
	if b.engine == nil {
		return nil
	}
	for _, page := range b.engine.About() {
		if page.Detail == "" || b.has(page.Detail) {
			pages = append(pages, page)
		}
	}
	return pages
}

// Tell takes what the engine says of itself.
func (b *Book) Tell(t Told) {
	if t.Role != b.told.Role {
		b.changed = true
	}
	b.told = t
}

// Scrape reads a page and returns its data points, up included. version is the engine's version, or "" while it is not known. An
// error means that the body is no metrics page; the book is as before. The byte after body's end is overwritten.
func (b *Book) Scrape(body []byte, openMetrics bool, at time.Time, version string) (pmetric.Metrics, Report, error) {
	b.version = b.fresh(cmp.Or(version, b.told.Version))
	b.begin(pcommon.NewTimestampFromTime(at))
	if err := b.page(body, openMetrics); err != nil {
		return pmetric.Metrics{}, b.report, err
	}
	metrics := b.finish(true)
	if b.set.Raw {
		b.raw(body, openMetrics, b.target(metrics))
		b.report.Points = metrics.DataPointCount()
	}
	return metrics, b.report, nil
}

// page takes what is on a page.
func (b *Book) page(body []byte, openMetrics bool) (err error) {
	if b.layout.read(body, openMetrics, b.scrape) {
		return nil
	}
	b.layout.learn(body, openMetrics)
	b.report.BrokenLines, err = parse(body, openMetrics, b)
	b.layout.learnt(err == nil && b.report.BrokenLines == 0)
	b.same = nil
	return err
}

// begin opens the reading of a page.
func (b *Book) begin(at pcommon.Timestamp) {
	b.scrape++
	b.report = Report{}
	b.declared = declaration{}
	b.former, b.newcomer = b.engine, false
	b.now.at = at
	if b.began == 0 {
		b.began = at
	}
}

// finish makes the points of what was read and looks after what is remembered. whole says that the page had everything that the
// target has: then what was not on it began later.
func (b *Book) finish(whole bool) pmetric.Metrics {
	b.whole, b.read = whole, b.scrape
	if !whole {
		b.noteSeen()
	}
	b.noteProcess()
	if b.replaced() {
		b.startOver()
	} else {
		b.noteVariant()
	}
	metrics := b.render()
	b.now.previous = 0
	if whole && b.report.BrokenLines == 0 && b.report.RejectedLimit == 0 {
		b.now.previous = b.now.at
	}
	if b.report.Restarted {
		b.variant, b.evidence = "", dialect.Evidence{Has: b.has}
		clear(b.observed)
		b.before = slices.Clone(b.shown)
		b.forget(b.scrape)
	} else if since := b.scrape - sweepEvery + 1; b.scrape%sweepEvery == 0 && (b.before != nil || b.stale(since)) {
		shown := slices.Clone(b.shown)
		b.keepDialects(since)
		b.forget(since)
		b.noteVanished(shown)
	}
	b.report.SeriesRemembered = len(b.known)
	return metrics
}

// damaged reports whether the page had lines that could not be taken. A number that is made of several series, a histogram above
// all, may then lack one of them, and what is left would look like a restart or like other buckets.
func (b *Book) damaged() bool {
	return b.report.BrokenLines > 0 || b.report.RejectedLimit > 0 || b.report.RejectedLong > 0
}

// noteVariant asks the dialect for the engine's variant until it knows.
func (b *Book) noteVariant() {
	if b.variant != "" || b.engine == nil {
		return
	}
	for key := range b.groups {
		b.evidence.Ranked = b.evidence.Ranked || key.rank != ""
	}
	b.variant = b.engine.Variant(b.evidence)
}

// noteProcess takes over the start of the process from the page, and notices a restart.
func (b *Book) noteProcess() {
	var start pcommon.Timestamp
	if b.process.seen == b.scrape {
		start = timestamp(b.process.value)
	}
	if b.now.process != 0 && start > b.now.process {
		b.report.Restarted = true
	}
	b.now.process = start
}

// has reports whether a family of the engine is on the target's pages.
func (b *Book) has(family string) bool {
	return b.engine != nil && b.engine.Has(family, b.shown)
}

// yields reports whether a family that is on the page says the same better.
func (b *Book) yields(f *dialect.Family) bool {
	return slices.ContainsFunc(f.Yields, func(i int) bool { return b.shown[i] })
}

// number reports whether v can be a point, and counts it when not.
func (b *Book) number(v float64) bool {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		b.report.NotNumbers++
		return false
	}
	return true
}
