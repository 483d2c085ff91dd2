package engine

import "strings"

// form is how a client library writes a page.
type form struct {
	mediaType string
	number    func([]byte, float64) []byte // a gauge of whole numbers, a counter, a bucket
	fraction  func([]byte, float64) []byte // a gauge of fractions, a sum, a bound
	created   string                       // creation time of every series; "" where there are none
	sorted    bool                         // labels by name
	boundLast bool                         // the bound behind the other labels, whatever their order
	order     [3]part                      // of a histogram's samples
	byKind    bool                         // gauges, then counters, then histograms
	byName    bool
	hides     bool // a family without series is not on the page at all
	open      bool // OpenMetrics: families of counters are named without _total, and the page has an end
}

// part is one kind of a histogram's samples.
type part uint8

const (
	buckets part = iota
	sum
	count
)

// pythonForm is that of the Python client library. created is the creation time of all series; "" where those are switched off.
func pythonForm(created string) form {
	return form{
		mediaType: "text/plain; version=1.0.0; charset=utf-8", number: appendPython, fraction: appendPython,
		created: created, sorted: true, order: [3]part{buckets, count, sum},
	}
}

// processesForm is that of the Python client library where several processes keep a page together in files. It knows no
// creation times.
func processesForm() form {
	f := pythonForm("")
	f.order, f.byKind, f.hides = [3]part{sum, buckets, count}, true, true
	return f
}

// openForm is that of Rust's prometheus-client.
func openForm() form {
	return form{
		mediaType: "application/openmetrics-text; version=1.0.0; charset=utf-8", number: appendShort, fraction: appendPointed,
		order: [3]part{sum, count, buckets}, open: true,
	}
}

// gatheredForm is that of Rust's prometheus.
func gatheredForm() form {
	return form{
		mediaType: "text/plain; version=0.0.4", number: appendShort, fraction: appendShort,
		sorted: true, boundLast: true, order: [3]part{buckets, sum, count}, byName: true, hides: true,
	}
}

// head writes HELP and TYPE of a family.
func (f *form) head(name, kind, help string) string {
	if f.open {
		help += "."
		if kind == "counter" {
			name = strings.TrimSuffix(name, "_total")
		}
	}
	return "# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n"
}

// bucket renders what stands before and behind a bucket's bound.
func (f *form) bucket(name string, labels []label) (left, right string) {
	const mark = "\x00"
	text := labelText(and([]label{{"le", mark}}, labels...), f.sorted)
	if f.boundLast {
		text = labelText(and(sortedLabels(labels), label{"le", mark}), false)
	}
	left, right, _ = strings.Cut(name+"_bucket"+text+" ", mark)
	return left, right
}
