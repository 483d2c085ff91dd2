package engine

import (
	"cmp"
	"io"
	"slices"
	"strings"
)

// flushAt is how much of a page is gathered before it is handed on, in bytes.
const flushAt = 4 << 10

// Kinds of families, in the order in which the processes' form has them.
const (
	gauges = iota
	counters
	histograms
)

// sheet is a page laid out once: names, labels and help are rendered when families are added, numbers when it is written.
type sheet struct {
	form     form
	families []*family
	bounds   map[*float64][]string // texts of bounds, by their first
	buf      []byte
}

// family is a family of series.
type family struct {
	name   string
	kind   int
	head   string // HELP and TYPE
	series []series
	tail   string // the family of creation times
}

// series is what appends itself to a page.
type series interface {
	presence() presence
	appendTo([]byte, *form) []byte
}

// presence is how far a series is on a page.
type presence uint8

const (
	absent presence = iota
	silent          // the family is there, the value is not
	present
)

// point is one value of a family and its labels. A lazy one is absent as long as it is 0. With after, it is silent until that is
// true, or absent if it is lazy, and present from then on.
type point struct {
	labels []label
	at     *float64
	lazy   bool
	after  *bool
}

// spread is one histogram of a family and its labels. A lazy one is on the page only once something was observed.
type spread struct {
	labels []label
	of     *histogram
	lazy   bool
}

func newSheet(f form) *sheet { return &sheet{form: f, bounds: make(map[*float64][]string)} }

// gauge adds a family of whole numbers, ratio one of fractions; only some clients tell the two apart.
func (s *sheet) gauge(name, help string, points ...point) *family {
	return s.numbers(name, help, s.form.number, points)
}

func (s *sheet) ratio(name, help string, points ...point) {
	s.numbers(name, help, s.form.fraction, points)
}

func (s *sheet) numbers(name, help string, number func([]byte, float64) []byte, points []point) *family {
	f := &family{name: name, kind: gauges, head: s.form.head(name, "gauge", help)}
	for _, p := range points {
		f.series = append(f.series, newSample(name+labelText(p.labels, s.form.sorted), p, number))
	}
	s.families = append(s.families, f)
	return f
}

// counter adds a family of counters; name is without the suffix _total.
func (s *sheet) counter(name, help string, points ...point) {
	total := name + "_total"
	f := &family{name: total, kind: counters, head: s.form.head(total, "counter", help)}
	created := make([]string, len(points))
	for i, p := range points {
		text := labelText(p.labels, s.form.sorted)
		f.series = append(f.series, newSample(total+text, p, s.form.number))
		created[i] = text
	}
	f.tail = s.creation(name, help, created)
	s.families = append(s.families, f)
}

// histogram adds a family of histograms.
func (s *sheet) histogram(name, help string, spreads ...spread) {
	f := &family{name: name, kind: histograms, head: s.form.head(name, "histogram", help)}
	created := make([]string, len(spreads))
	for i, p := range spreads {
		d := &distribution{histogram: p.of, bounds: s.boundTexts(p.of.bounds), lazy: p.lazy}
		d.left, d.right = s.form.bucket(name, p.labels)
		text := labelText(p.labels, s.form.sorted)
		d.sum, d.count = name+"_sum"+text+" ", name+"_count"+text+" "
		f.series = append(f.series, d)
		created[i] = text
	}
	f.tail = s.creation(name, help, created)
	s.families = append(s.families, f)
}

// creation renders the gauge family of creation times, where the form has one.
func (s *sheet) creation(name, help string, labels []string) string {
	if s.form.created == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(s.form.head(name+"_created", "gauge", help))
	for _, l := range labels {
		b.WriteString(name + "_created" + l + " " + s.form.created + "\n")
	}
	return b.String()
}

// boundTexts renders bounds, once for all histograms that share them.
func (s *sheet) boundTexts(bounds []float64) []string {
	if texts, ok := s.bounds[&bounds[0]]; ok {
		return texts
	}
	texts := make([]string, 0, len(bounds)+1)
	for _, b := range bounds {
		texts = append(texts, string(s.form.fraction(nil, b)))
	}
	texts = append(texts, "+Inf")
	s.bounds[&bounds[0]] = texts
	return texts
}

// arrange puts the families in the form's order, when all are there.
func (s *sheet) arrange() *sheet {
	switch {
	case s.form.byKind:
		slices.SortStableFunc(s.families, func(a, b *family) int { return cmp.Compare(a.kind, b.kind) })
	case s.form.byName:
		slices.SortStableFunc(s.families, func(a, b *family) int { return cmp.Compare(a.name, b.name) })
	}
	return s
}

// writeTo writes the page.
func (s *sheet) writeTo(w io.Writer) error {
	buf := s.buf[:0]
	for _, f := range s.families {
		buf = f.appendTo(buf, &s.form)
		if len(buf) < flushAt {
			continue
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		buf = buf[:0]
	}
	if s.form.open {
		buf = append(buf, "# EOF\n"...)
	}
	s.buf = buf
	_, err := w.Write(buf)
	return err
}

func (f *family) appendTo(dst []byte, form *form) []byte {
	if form.hides && !slices.ContainsFunc(f.series, func(s series) bool { return s.presence() != absent }) {
		return dst
	}
	dst = append(dst, f.head...)
	for _, s := range f.series {
		if s.presence() == present {
			dst = s.appendTo(dst, form)
		}
	}
	return append(dst, f.tail...)
}

// sample is a series of one number.
type sample struct {
	text string // name and labels, and the blank behind them
	point
	number func([]byte, float64) []byte
}

// newSample makes a series of its rendered name; the labels of the point are let go.
func newSample(name string, p point, number func([]byte, float64) []byte) *sample {
	p.labels = nil
	return &sample{text: name + " ", point: p, number: number}
}

func (s *sample) presence() presence {
	switch {
	case s.after == nil && (!s.lazy || *s.at != 0), s.after != nil && *s.after:
		return present
	case s.lazy:
		return absent
	}
	return silent
}

func (s *sample) appendTo(dst []byte, _ *form) []byte {
	dst = append(dst, s.text...)
	return append(s.number(dst, *s.at), '\n')
}

// distribution is the series of one histogram.
type distribution struct {
	*histogram
	left, right string   // around the bound of a bucket
	bounds      []string // +Inf included
	sum, count  string
	lazy        bool
}

func (d *distribution) presence() presence {
	if d.lazy && d.total == 0 {
		return absent
	}
	return present
}

func (d *distribution) appendTo(dst []byte, form *form) []byte {
	for _, p := range form.order {
		switch p {
		case buckets:
			dst = d.appendBuckets(dst, form)
		case sum:
			dst = append(form.fraction(append(dst, d.sum...), d.histogram.sum), '\n')
		case count:
			dst = append(form.number(append(dst, d.count...), float64(d.total)), '\n')
		}
	}
	return dst
}

func (d *distribution) appendBuckets(dst []byte, form *form) []byte {
	var seen uint64
	for i, n := range d.counts {
		seen += n
		dst = append(dst, d.left...)
		dst = append(dst, d.bounds[i]...)
		dst = append(dst, d.right...)
		dst = append(form.number(dst, float64(seen)), '\n')
	}
	return dst
}
