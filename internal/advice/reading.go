package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"math"
	"strconv"

	"github.com/otelcol-inference/otelcol-inference/internal/percentile"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Reading is the trailing minute of one subject. A metric may have several streams, told apart by attributes: those asked for are the
// ones that have the given attributes among theirs, as key, value, key, value.
//
// A fleet has the streams that are told of it, and those of its members where none are.
type Reading struct {
	*state
	Members  []*Reading // of a fleet: workers and agents that are not silent
	Silent   []*Reading // of a fleet: those that are
	At       int64      // data time of its end, unix nanoseconds
	standing bool       // the advice in question stands
	fresh    int64      // levels older than this, in data time, no longer hold
	seconds  float64    // since the first window
	known    *figures   // once they were asked for: several rules look at the same
}

// read makes the reading of a subject at the end of its newest window.
func read(s *state, cfg *Config) *Reading {
	return readAt(s, s.closed, cfg)
}

func readAt(s *state, at int64, cfg *Config) *Reading {
	return &Reading{state: s, At: at, fresh: at - int64(cfg.Trailing), seconds: float64(at-s.started) / 1e9}
}

// Observed is for how many seconds the subject has been observed without a gap.
func (r *Reading) Observed() float64 { return r.seconds }

// Over reports whether v is above the limit. Once the advice stands, v has to fall a tenth below it.
func (r *Reading) Over(v, limit float64) bool {
	if r.standing {
		limit *= 0.9
	}
	return v > limit
}

// Sure reports whether a confidence is at least MED, which it takes to raise an advice. One that stands is told with the confidence that there is.
func (r *Reading) Sure(confidence float64) bool { return r.standing || confidence >= confidentMed }

// Workers returns the members of a fleet that are workers, of one role where it is given.
func (r *Reading) Workers(roles ...string) []*Reading {
	var ws []*Reading
	for _, m := range r.Members {
		if m.Kind != Worker {
			continue
		}
		if len(roles) == 0 {
			ws = append(ws, m)
		}
		for _, role := range roles {
			if m.Role() == role {
				ws = append(ws, m)
			}
		}
	}
	return ws
}

// Agents returns the members of a fleet that move KV.
func (r *Reading) Agents() []*Reading {
	var as []*Reading
	for _, m := range r.Members {
		if m.Kind == Agent {
			as = append(as, m)
		}
	}
	return as
}

// Fact returns a fact by its attribute's name.
func (r *Reading) Fact(name string) (string, bool) {
	v, ok := r.Facts[name]
	return v, ok && v != ""
}

// Number returns a fact that is a number.
func (r *Reading) Number(name string) (float64, bool) {
	v, err := strconv.ParseFloat(r.Facts[name], 64)
	return v, err == nil
}

// Role returns the role of a worker, unknown where nobody tells.
func (r *Reading) Role() string {
	if role, ok := r.Fact(signal.AttrRole); ok {
		return role
	}
	return signal.RoleUnknown
}

// holds reports whether the last value of a level still holds.
func (r *Reading) holds(x *stream) bool {
	return x.level != nil && x.level.at > 0 && !x.level.gone && x.level.at >= r.fresh
}

// Level returns the newest value of a gauge, added up over its streams.
func (r *Reading) Level(metric string, pairs ...string) (sum float64, ok bool) {
	for x := range r.of(metric) {
		if r.holds(x) && x.has(pairs) {
			sum += x.level.value
			ok = true
		}
	}
	return sum, ok
}

// Mean returns the trailing mean of a gauge, added up over its streams.
func (r *Reading) Mean(metric string, pairs ...string) (sum float64, ok bool) {
	for x := range r.of(metric) {
		if !x.has(pairs) || !r.holds(x) {
			continue
		}
		total, n := 0.0, 0.0
		for _, m := range x.level.means {
			if !math.IsNaN(m) {
				total += m
				n++
			}
		}
		if n > 0 {
			sum += total / n
			ok = true
		}
	}
	return sum, ok
}

// Peak returns the largest window's mean of a gauge over the trailing time, of its streams the largest.
func (r *Reading) Peak(metric string, pairs ...string) (peak float64, ok bool) {
	for x := range r.of(metric) {
		if !x.has(pairs) || !r.holds(x) {
			continue
		}
		for _, m := range x.level.means {
			if !math.IsNaN(m) && (!ok || m > peak) {
				peak, ok = m, true
			}
		}
	}
	return peak, ok
}

// Least returns the smallest window's mean of a gauge over the trailing time, added up over its streams.
func (r *Reading) Least(metric string, pairs ...string) (sum float64, ok bool) {
	for x := range r.of(metric) {
		if !x.has(pairs) || !r.holds(x) {
			continue
		}
		least := math.Inf(1)
		for _, m := range x.level.means {
			if !math.IsNaN(m) {
				least = min(least, m)
			}
		}
		if !math.IsInf(least, 1) {
			sum += least
			ok = true
		}
	}
	return sum, ok
}

// Slope returns by how much a gauge grows per second over the trailing time, added up over its streams; of a fleet without streams of
// its own over its members.
func (r *Reading) Slope(metric string, pairs ...string) (perSecond float64, ok bool) {
	for x := range r.of(metric) {
		if !x.has(pairs) || !r.holds(x) || len(x.level.means) < 2 || len(x.level.means) > len(r.past) {
			continue
		}
		first, last := x.level.means[0], x.level.means[len(x.level.means)-1]
		// Means stand for the middle of their windows.
		span := float64(r.middle(len(r.past)-1)-r.middle(len(r.past)-len(x.level.means))) / 1e9
		if span > 0 && !math.IsNaN(first) && !math.IsNaN(last) {
			perSecond += (last - first) / span
			ok = true
		}
	}
	if !r.told(metric) {
		for _, m := range r.Members {
			if v, seen := m.Slope(metric, pairs...); seen {
				perSecond += v
				ok = true
			}
		}
	}
	return perSecond, ok
}

func (r *Reading) middle(i int) int64 { return (r.past[i].from + r.past[i].to) / 2 }

// Attribute lists the values that an attribute has on the streams of a metric that hold.
func (r *Reading) Attribute(metric, key string, pairs ...string) []string {
	var values []string
	for x := range r.of(metric) {
		if !r.holds(x) || !x.has(pairs) {
			continue
		}
		for _, a := range x.attributes {
			if a.Key == key {
				values = append(values, a.Value)
			}
		}
	}
	return values
}

// Increase returns by how much a counter grew over the trailing time and how many seconds of it were seen, added up over its streams;
// of a fleet without streams of its own over its members.
func (r *Reading) Increase(metric string, pairs ...string) (sum, seconds float64, ok bool) {
	r.each(metric, pairs, func(d increase) {
		sum += d.sum
		seconds = max(seconds, d.covered)
		ok = ok || d.covered > 0
	})
	return sum, seconds, ok
}

// Rate returns by how much a counter grows per second, likewise.
func (r *Reading) Rate(metric string, pairs ...string) (perSecond float64, ok bool) {
	r.each(metric, pairs, func(d increase) {
		if d.covered > 0 {
			perSecond += d.sum / d.covered
			ok = true
		}
	})
	return perSecond, ok
}

// Distribution is a histogram of the trailing time.
type Distribution struct {
	percentile.Merged
	Sum, Count, Seconds float64
}

// Mean is the mean value, 0 of an empty distribution.
func (d Distribution) Mean() float64 {
	if d.Count <= 0 {
		return 0
	}
	return d.Sum / d.Count
}

// Histogram returns the distribution of a metric over the trailing time, merged over its streams; of a fleet without streams of its
// own over its members. ok is false when it is empty.
func (r *Reading) Histogram(metric string, pairs ...string) (d Distribution, ok bool) {
	var parts []percentile.Distribution
	r.each(metric, pairs, func(i increase) {
		if len(i.counts) > 0 {
			parts = append(parts, percentile.Distribution{Bounds: i.bounds, Counts: i.counts})
		}
		d.Sum += i.sum
		d.Count += i.count
		d.Seconds = max(d.Seconds, i.covered)
	})
	d.Merged = percentile.Merge(parts)
	return d, d.Total() > 0
}
