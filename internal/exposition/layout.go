package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"bytes"
	"hash/maphash"
	"math"
	"slices"
	"strconv"
)

// layout is what stands between the values of a page. An engine's next page nearly always differs in its values only, and then need
// not be parsed: texts that hash alike are taken for the same. The seed is random, so no page can be made to collide.
type layout struct {
	seed        maphash.Seed
	openMetrics bool
	slots       []slot // none: nothing is known
	rest        span   // after the last value

	learning bool
	body     []byte // that is learnt from
	end      int    // in body, of the last line that was taken
}

// slot is where a value stands.
type slot struct {
	before span
	cell   *cell
}

// span is a piece of a page.
type span struct {
	hash   uint64
	length int
}

func (l *layout) span(text []byte) span { return span{maphash.Bytes(l.seed, text), len(text)} }

// read takes the values of a page that has the layout. Where it reports false, the page has another; values that were written by then
// are written again by the parser.
func (l *layout) read(body []byte, openMetrics bool, scrape uint64) bool {
	if len(l.slots) == 0 || openMetrics != l.openMetrics {
		return false
	}
	for i := range l.slots {
		s := &l.slots[i]
		if s.before.length > len(body) || l.span(body[:s.before.length]) != s.before {
			return false
		}
		value, end, ok := valueOf(body[s.before.length:])
		if !ok {
			return false
		}
		s.cell.value, s.cell.seen = value, scrape
		body = body[s.before.length+end:]
	}
	return l.span(body) == l.rest
}

// learn begins with a page that is about to be parsed.
func (l *layout) learn(body []byte, openMetrics bool) {
	l.slots, l.openMetrics = l.slots[:0], openMetrics
	l.learning, l.body, l.end = true, body, 0
}

// take notes where a series stands and where its value goes. A nil cell is a series without a place: each page has to look for one.
func (l *layout) take(raw []byte, value float64, c *cell) {
	if !l.learning {
		return
	}
	l.learning = false
	at := cap(l.body) - cap(raw) // the parser's slices share the body's array
	if c == nil || len(raw) == 0 || at < l.end || at >= len(l.body) || &raw[0] != &l.body[at] {
		return
	}
	at += len(raw)
	for at < len(l.body) && (l.body[at] == ' ' || l.body[at] == '\t') {
		at++
	}
	v, end, ok := valueOf(l.body[at:])
	if !ok || math.Float64bits(v) != math.Float64bits(value) {
		return
	}
	l.slots = append(l.slots, slot{l.span(l.body[l.end:at]), c})
	l.end, l.learning = at+end, true
}

// learnt ends the page. The layout is forgotten unless the page was sound.
func (l *layout) learnt(sound bool) {
	if l.learning && sound {
		l.rest, l.slots = l.span(l.body[l.end:]), slices.Clone(l.slots) // without the room that append left
	} else {
		l.slots = nil
	}
	l.learning, l.body = false, nil
}

// valueOf reads the plain number that is all there is up to the end of the line. What else the formats allow behind a series is the
// parser's.
func valueOf(text []byte) (v float64, end int, ok bool) {
	end = bytes.IndexByte(text, '\n') + 1
	if end < 2 {
		return 0, 0, false
	}
	text = text[:end-1]
	if v, ok := whole(text); ok {
		return v, end, true
	}
	for _, c := range text {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' {
			return 0, 0, false
		}
	}
	v, err := strconv.ParseFloat(string(text), 64)
	return v, end, err == nil
}

// whole reads what nearly all values are: a number of at most 15 digits, with .0 behind it or nothing. A float64 holds it exactly.
func whole(text []byte) (v float64, ok bool) {
	digits := bytes.TrimSuffix(text, []byte(".0"))
	if len(digits) == 0 || len(digits) > 15 {
		return 0, false
	}
	n := int64(0)
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return float64(n), true
}
