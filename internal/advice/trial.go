package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"math"
	"strconv"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// trial is a prediction that waits to be verified: first for one of its levers to move, then for the effect to settle.
type trial struct {
	Predicted Effect  `json:"predicted"`
	Levers    []Lever `json:"levers"`
	Demand    float64 `json:"demand"` // requests per second when it was predicted
	Followed  int64   `json:"followed"`
	Lever     int     `json:"lever"` // that moved
	To        string  `json:"to"`
	since     faded   // demand since it was followed; begins anew after a restart
}

// comparableShare is by how much demand may differ for a prediction to count.
const comparableShare = 0.25

// newTrial begins a trial of what was told, nil where nothing can be verified.
func newTrial(f *Finding, r *Reading) *trial {
	if f.Predicted == nil || len(f.Action.Levers) == 0 {
		return nil
	}
	demand, ok := r.Demand()
	if !ok {
		return nil
	}
	return &trial{Predicted: *f.Predicted, Levers: f.Action.Levers, Demand: demand}
}

// aim notes how the levers of a finding are now.
func (f *Finding) aim(r *Reading) {
	for i := range f.Action.Levers {
		f.Action.Levers[i].From = r.lever(f.Action.Levers[i].Fact)
	}
}

// lever is a fact, or the newest value of a gauge, as text; "" where it is not known.
func (r *Reading) lever(name string) string {
	if v, ok := r.Fact(name); ok {
		return v
	}
	if v, ok := r.Level(name); ok {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return ""
}

// moved reports whether a lever moved the way it was advised to.
func (l Lever) moved(to string) bool {
	if l.From == "" || to == "" || to == l.From {
		return false
	}
	if l.Rise == 0 {
		return true
	}
	before, err := strconv.ParseFloat(l.From, 64)
	if err != nil {
		return false
	}
	after, err := strconv.ParseFloat(to, 64)
	return err == nil && (after-before)*float64(l.Rise) > l.Least*math.Abs(before)
}

// step looks after a trial at the end of a window. done is whether it is over; the observation is nil when it came to nothing.
func (t *trial) step(r *Reading, measure func(*Reading) (float64, bool), cfg *Config) (o *Observation, done bool) {
	if t.Followed == 0 {
		for i, l := range t.Levers {
			if to := r.lever(l.Fact); l.moved(to) {
				t.Followed, t.Lever, t.To = r.At, i, to
				break
			}
		}
		return nil, false
	}
	waited := r.At - t.Followed
	// What the trailing time still has of before does not count.
	if arrivals, known := r.arrivals(); known && waited > int64(cfg.Trailing) {
		t.since.add(arrivals, r.At)
	}
	if waited < int64(cfg.Settle) {
		return nil, false
	}
	value, ok := measure(r)
	demand, known := t.since.value()
	if !ok || !known {
		return nil, waited > 4*int64(cfg.Settle)
	}
	l := t.Levers[t.Lever]
	o = &Observation{Value: value, Lever: l.Fact, From: l.From, To: t.To, Demand: [2]float64{t.Demand, demand}}
	switch {
	case math.Abs(demand-t.Demand) > comparableShare*t.Demand:
		o.Result = NotComparable
	case value >= t.Predicted.Low && value <= t.Predicted.High:
		o.Result = Inside
	default:
		o.Result = Outside
	}
	return o, true
}

// Demand is how many requests arrive per second: those that got their first token, and those by which the queue grew; averaged over about
// five minutes, because traffic comes in bursts.
func (r *Reading) Demand() (float64, bool) { return r.demand.value() }

// arrivals is the demand of the trailing time.
func (r *Reading) arrivals() (float64, bool) {
	front := r.front()
	served, ok := front.CountRate(signal.TTFT)
	growth, _ := front.Slope(signal.Waiting)
	return math.Max(0, served+growth), ok
}

// Dispersion is the variance of the requests that arrive in a window over their mean, of the windows of the trailing time: 1 for
// independent arrivals, more for bursts. ok is false with too few windows.
func (r *Reading) Dispersion() (index float64, ok bool) {
	byWindow := map[int64]float64{}
	front := r.front()
	for _, w := range append([]*Reading{front}, front.Workers()...) {
		w.arrivalsByWindow(byWindow)
	}
	if len(byWindow) < 6 {
		return 0, false
	}
	sum, squares, n := 0.0, 0.0, float64(len(byWindow))
	for _, v := range byWindow {
		sum += v
		squares += v * v
	}
	mean := sum / n
	if mean <= 0 {
		return 0, false
	}
	return (squares/n - mean*mean) / mean, true
}

// arrivalsByWindow adds a worker's arrivals to the windows that it has: first tokens, and by how much its queue grew.
func (r *Reading) arrivalsByWindow(into map[int64]float64) {
	for x := range r.of(signal.TTFT) {
		for i := 1; i < len(r.past) && x.level == nil; i++ {
			if t, _, ok := r.past[i].of(x.counter); ok {
				into[r.past[i].to] += t.count
			}
		}
	}
	for x := range r.of(signal.Waiting) {
		if x.level == nil {
			continue
		}
		first := len(r.past) - len(x.level.means)
		for i := 1; i < len(x.level.means) && first >= 0; i++ {
			if growth := x.level.means[i] - x.level.means[i-1]; !math.IsNaN(growth) {
				into[r.past[first+i].to] += growth
			}
		}
	}
}

// CountRate is how many values a histogram takes per second.
func (r *Reading) CountRate(metric string, pairs ...string) (perSecond float64, ok bool) {
	r.each(metric, pairs, func(d increase) {
		if d.covered > 0 {
			perSecond += d.count / d.covered
			ok = true
		}
	})
	return perSecond, ok
}

// faded is a mean over the past, of which what is older weighs less.
type faded struct {
	sum, weight float64
	at          int64
}

// fadeTime is the age in seconds at which a value weighs 1/e of the newest.
const fadeTime = 300

func (f *faded) add(v float64, at int64) {
	if f.at != 0 && at > f.at {
		keep := math.Exp(-float64(at-f.at) / 1e9 / fadeTime)
		f.sum, f.weight = f.sum*keep+v*(1-keep), f.weight*keep+1-keep
	}
	f.at = at
}

func (f *faded) value() (float64, bool) {
	if f.weight <= 0 {
		return 0, false
	}
	return f.sum / f.weight, true
}
