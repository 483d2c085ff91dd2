package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// moment is what is known of time at a scrape. All but at are 0 when unknown.
type moment struct {
	at       pcommon.Timestamp
	previous pcommon.Timestamp // of the last page that was read whole: what was not on it began later
	process  pcommon.Timestamp // start of the engine's process
}

// tracker finds the start time of a cumulative stream.
//
// The start is the time the engine says (_created, else the start of its process). Where it says none, a stream that was not on
// the previous page began after that, and one on the first page starts at its first point: its value then is history that
// belongs to no interval. A value that falls, or a later creation, is a reset: the new start is never before the last point of
// the old stream, so a rate is never negative and no interval is counted twice.
type tracker struct {
	start   pcommon.Timestamp
	last    pcommon.Timestamp
	value   float64
	created pcommon.Timestamp
	process pcommon.Timestamp
}

// observe takes a point and reports whether it comes after a reset. created is 0 when the engine does not say.
func (t *tracker) observe(now moment, value float64, created pcommon.Timestamp) (reset bool) {
	known := created
	if known == 0 {
		known = now.process
	}
	switch {
	case t.start == 0:
		t.start = known
		if known == 0 || known > now.at {
			t.start = now.previous
		}
		if t.start == 0 {
			t.start = now.at
		}
	case value < t.value || t.restarted(now, created):
		reset = true
		t.start = t.last
		if known > t.last && known <= now.at {
			t.start = known
		}
	}
	t.value, t.last = value, now.at
	if created != 0 {
		t.created = created
	}
	if now.process != 0 {
		t.process = now.process
	}
	return reset
}

// restarted reports whether the engine says that the stream began anew. The stream's own creation decides where there is one.
func (t *tracker) restarted(now moment, created pcommon.Timestamp) bool {
	if created != 0 && t.created != 0 {
		return created > t.created
	}
	return created == 0 && t.created == 0 && t.process != 0 && now.process > t.process
}

// timestamp converts seconds since 1970. It returns 0 for what is no time.
func timestamp(seconds float64) pcommon.Timestamp {
	if math.IsNaN(seconds) || seconds <= 0 || seconds > 1e10 {
		return 0
	}
	return pcommon.Timestamp(seconds * 1e9)
}
