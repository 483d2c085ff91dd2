package window // import "github.com/otelcol-inference/otelcol-inference/internal/window"

import "time"

// Config of an Aligner. All times are data time.
type Config struct {
	Width    time.Duration // boundaries are the multiples of Width since the epoch, so all workers share them
	Lateness time.Duration // how long a lagging series may hold a window open once another has passed its end
	MaxGap   time.Duration // longest silence of a series that interpolation bridges
	Shapes   *Shapes       // of the Aligners that it is shared with; nil for one that stands alone
}

// Window is the increase of every series over (From, To]. Windows of one Aligner follow each other without overlap.
type Window struct {
	From, To int64     // unix nanoseconds, multiples of the width
	Totals   []Value   // by series key
	Covered  []float64 // by series key: seconds of the window that observations span
	Spanned  []float64 // by series key: seconds that Totals tell of; more than Covered where a window before was closed without them
	Levels   []Level   // by gauge key
}

// Seconds is the length of the window.
func (w Window) Seconds() float64 { return seconds(w.To - w.From) }

// Aligner collects the series and gauges of one worker. It is not safe for concurrent use.
type Aligner struct {
	width, lateness, maxGap int64
	shapes                  *Shapes
	series                  []*series // nil of a counter that was never observed
	gauges                  []gauge
	newest                  int64 // time of the newest observation
	closed                  int64 // end of the last window handed out
	started                 bool
}

// NewAligner makes an Aligner for counters 0..counters-1 and gauges 0..gauges-1.
func NewAligner(cfg Config, counters, gauges int) *Aligner {
	return &Aligner{
		width: int64(cfg.Width), lateness: int64(cfg.Lateness), maxGap: int64(cfg.MaxGap), shapes: cfg.Shapes,
		series: make([]*series, counters), gauges: make([]gauge, gauges),
	}
}

// Grow makes room for counters up to counters-1; those that are there stay as they are.
func (a *Aligner) Grow(counters int) {
	const room = 4 // append would make twice what is there, for good
	if counters > cap(a.series) {
		a.series = append(make([]*series, 0, counters+room), a.series...)
	}
	if counters > len(a.series) {
		a.series = a.series[:counters]
	}
}

// Forget takes it that n counters from key on were never observed: their next values are baselines.
func (a *Aligner) Forget(key, n int) {
	clear(a.series[key : key+n])
	a.newest = 0
	for _, s := range a.series {
		if s != nil {
			a.newest = max(a.newest, s.at)
		}
	}
}

// Restart takes it that nothing was observed: times from now on may be of another axis.
func (a *Aligner) Restart() {
	clear(a.series)
	clear(a.gauges)
	a.closed, a.started, a.newest = 0, false, 0
}

// Observe takes a cumulative value of a counter at time at; start is the counter's start time or 0. Of v's slices nothing is kept.
func (a *Aligner) Observe(key int, at, start int64, v Value) Outcome {
	if at <= 0 {
		return Late
	}
	a.begin(at)
	s := a.of(key)
	outcome := s.observe(at, start, v, a.maxGap, a.width, a.shapes)
	a.newest = max(a.newest, s.at)
	return outcome
}

// ObserveDelta takes an increase of a counter over (from, at]. Of v's slices nothing is kept.
func (a *Aligner) ObserveDelta(key int, from, at int64, v Value) Outcome {
	if at <= 0 {
		return Late
	}
	if from <= 0 || at-from > a.maxGap {
		from = 0 // unknown, or too long ago to be spread evenly
		a.begin(at)
	} else {
		a.begin(from)
	}
	s := a.of(key)
	outcome := s.observeDelta(from, at, v, a.width, a.shapes)
	a.newest = max(a.newest, s.at)
	return outcome
}

// of returns a counter, begun at its first observation.
func (a *Aligner) of(key int) *series {
	s := a.series[key]
	if s == nil {
		s = &series{}
		a.series[key] = s
	}
	return s
}

// ObserveGauge takes the value of a gauge at time at.
func (a *Aligner) ObserveGauge(key int, at int64, v float64) Outcome {
	return a.gauges[key].observe(at, v)
}

// begin places the first boundary. Windows start there: what lies before it was not seen whole. After a silence longer than
// MaxGap it is placed anew, so that the silence is in no window.
func (a *Aligner) begin(at int64) {
	if a.started && at-a.newest <= a.maxGap {
		return
	}
	if a.started {
		for _, s := range a.series {
			if s != nil {
				s.open = s.open[:0]
			}
		}
	}
	a.started = true
	a.closed = at - mod(at, a.width)
}

// Watermark is the time of the newest observation, 0 before the first.
func (a *Aligner) Watermark() int64 { return a.newest }

// Close hands out the windows that are complete, as one: several windows between two scrapes carry no more information than
// their sum, and taken as separate samples they would make an estimate look better founded than it is. ok is false when no
// window is complete yet.
func (a *Aligner) Close() (w Window, ok bool) { return a.closeAt(a.boundary()) }

// CloseTo hands out everything up to a boundary of the caller's, who closes several aligners together. What a series that lags behind
// tells later of the time before is counted in its next window.
func (a *Aligner) CloseTo(boundary int64) (w Window, ok bool) {
	return a.closeAt(boundary - mod(boundary, a.width))
}

// Flush hands out everything up to the newest boundary that any observation has passed, for a worker that fell silent.
func (a *Aligner) Flush() (w Window, ok bool) {
	return a.closeAt(a.newest - mod(a.newest, a.width))
}

// boundary is the newest window end that every series has passed, or that one series passed more than the lateness ago.
func (a *Aligner) boundary() int64 {
	oldest := a.newest
	if oldest-mod(oldest, a.width) <= a.closed {
		return a.closed // nobody is there yet
	}
	for _, s := range a.series {
		if s != nil && s.seen {
			oldest = min(oldest, s.at)
		}
	}
	at := max(oldest, a.newest-a.lateness)
	return at - mod(at, a.width)
}

func (a *Aligner) closeAt(boundary int64) (Window, bool) {
	if !a.started || boundary <= a.closed {
		return Window{}, false
	}
	n := len(a.series)
	times := make([]float64, 2*n)
	w := Window{
		From: a.closed, To: boundary, Totals: make([]Value, n), Covered: times[:n:n], Spanned: times[n:], Levels: make([]Level, len(a.gauges)),
	}
	for i, s := range a.series {
		if s != nil {
			w.Totals[i], w.Covered[i], w.Spanned[i] = s.take(w.From, boundary)
		}
	}
	for i := range a.gauges {
		w.Levels[i] = a.gauges[i].take(boundary)
	}
	a.closed = boundary
	return w, true
}

// mod is the remainder that is never negative.
func mod(a, b int64) int64 { return ((a % b) + b) % b }
