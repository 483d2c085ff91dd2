package window // import "github.com/otelcol-inference/otelcol-inference/internal/window"

// Level summarises a gauge over a window. A gauge is seen at scrapes only, so Min and Mean speak of those moments: the ones
// inside the window and the nearest on either side.
type Level struct {
	Seen bool
	Min  float64
	Mean float64
}

// maxGaugeSamples bounds a gauge whose windows never close because its worker sends no counters.
const maxGaugeSamples = 512

type gaugeSample struct {
	at    int64
	value float64
}

// gauge keeps the samples from the last closed boundary on, and the one before it.
type gauge struct{ samples []gaugeSample }

func (g *gauge) observe(at int64, v float64) Outcome {
	if n := len(g.samples); n > 0 && at <= g.samples[n-1].at {
		return Late
	}
	if len(g.samples) >= maxGaugeSamples {
		g.samples = append(g.samples[:0], g.samples[maxGaugeSamples/2:]...)
	}
	g.samples = append(g.samples, gaugeSample{at, v})
	return Counted
}

// take summarises the samples around (from, boundary] and forgets what later windows cannot need.
func (g *gauge) take(boundary int64) Level {
	if len(g.samples) == 0 {
		return Level{}
	}
	l := Level{Seen: true, Min: g.samples[0].value}
	keep, n := 0, 0
	for i, s := range g.samples {
		l.Mean += s.value
		l.Min = min(l.Min, s.value)
		n++
		if s.at <= boundary {
			keep = i
		}
		if s.at >= boundary {
			break
		}
	}
	l.Mean /= float64(n)
	g.samples = append(g.samples[:0], g.samples[keep:]...)
	return l
}
