package engine

import (
	"strconv"
	"time"
)

// VLLMVersion is the release whose page is spoken unless Facts name another; its pages are recorded under
// tests/engines/recordings.
const VLLMVersion = "0.32.0"

// VLLMContentType is the media type of that page.
const VLLMContentType = "text/plain; version=1.0.0; charset=utf-8"

// vllmPage is the page of one server of vLLM: that of one engine core, or of all data-parallel ranks behind one port. Since
// which release a family exists is from vllm/v1/metrics/loggers.py of several releases and from change lists; the minor number
// may be off by one.
type vllmPage struct {
	sheet *sheet
	facts Facts // of the first core
	version
	cores []*VLLM
	lora  adapterSeries
}

func newVLLMPage(cores []*VLLM) *vllmPage {
	f := cores[0].facts
	form := pythonForm(string(appendPython(nil, unixSeconds(f.Start))))
	switch {
	case f.FrontEnd == frontEndRust:
		form = openForm()
	case f.APIServers > 1 || cores[0].v0(): // V0's server and its engine are two processes
		form = processesForm()
	}
	p := &vllmPage{sheet: newSheet(form), facts: f, version: cores[0].version, cores: cores}
	switch {
	case cores[0].v0():
		p.layOutV0()
	default:
		p.layOut()
	}
	p.sheet.arrange()
	return p
}

// layOut adds the families of V1, in vLLM's order.
func (p *vllmPage) layOut() {
	if p.sheet.form.created != "" {
		p.start()
	}
	p.speculation()
	p.transfers()
	p.estimates()
	p.scheduler()
	p.prefixCache()
	p.tokens()
	p.requests()
	p.lengths()
	p.latencies()
	p.residency()
	p.adapterFamily()
	if !p.earlyRust() {
		p.cacheConfig()
	}
}

// start adds the one family of the Python process that a reader needs.
func (p *vllmPage) start() {
	start := unixSeconds(p.facts.Start)
	p.sheet.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", point{at: &start})
}

// each gives a point of every core. Labels are in the order of the Rust front end; the others sort them.
func (p *vllmPage) each(of func(*vllmStats) *float64, extra ...label) []point {
	points := make([]point, len(p.cores))
	for i, c := range p.cores {
		points[i] = point{labels: p.labels(c, extra...), at: of(&c.stats)}
	}
	return points
}

func (p *vllmPage) labels(c *VLLM, extra ...label) []label {
	labels := and(extra, label{"model_name", p.facts.ServedModel})
	if c.v0() {
		return labels
	}
	return and(labels, label{"engine", c.stats.rank})
}

// histogram adds a family with a histogram of every core. Those of V0 appear with the first observation.
func (p *vllmPage) histogram(name, help string, of func(*vllmStats) *histogram) {
	spreads := make([]spread, len(p.cores))
	for i, c := range p.cores {
		spreads[i] = spread{labels: p.labels(c), of: of(&c.stats), lazy: c.v0()}
	}
	p.sheet.histogram("vllm:"+name, help, spreads...)
}

func (p *vllmPage) gauge(name, help string, of func(*vllmStats) *float64) {
	p.sheet.gauge("vllm:"+name, help, p.set(of)...)
}

func (p *vllmPage) ratio(name, help string, of func(*vllmStats) *float64) {
	p.sheet.ratio("vllm:"+name, help, p.set(of)...)
}

// set gives a point of every core of a gauge that the scheduler sets. Where several processes keep the page, the most recent
// value counts, and there is none before the first.
func (p *vllmPage) set(of func(*vllmStats) *float64, extra ...label) []point {
	points := p.each(of, extra...)
	for i, c := range p.cores {
		if p.sheet.form.hides && !c.v0() {
			points[i].after = &c.stats.stepped
		}
	}
	return points
}

func (p *vllmPage) counter(name, help string, of func(*vllmStats) *float64) {
	p.sheet.counter("vllm:"+name, help, p.each(of)...)
}

// nothing is a number that stays 0.
func nothing(*vllmStats) *float64 { return new(float64) }

// cacheConfig adds the cache configuration.
func (p *vllmPage) cacheConfig() {
	one := 1.0
	points := make([]point, len(p.cores))
	for i, c := range p.cores {
		points[i] = point{labels: cacheConfigLabels(c.facts, c.version), at: &one}
	}
	p.sheet.gauge("vllm:cache_config_info", "Information of the LLMEngine CacheConfig", points...)
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

func rankOf(f Facts) string { return strconv.Itoa(f.Rank) }
