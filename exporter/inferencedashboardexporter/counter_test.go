package inferencedashboardexporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestCounter(t *testing.T) {
	sec := func(s int64) int64 { return 1_000_000_000_000 + s*int64(time.Second) }
	type step struct {
		p    point
		want outcome
		inc  float64
	}
	cumulative := func(at, start int64, v float64) point {
		return point{at: sec(at), start: sec(start), values: []float64{v}}
	}
	delta := func(from, at int64, v float64) point {
		return point{at: sec(at), start: sec(from), delta: true, values: []float64{v}}
	}
	tests := map[string]struct {
		trust bool
		steps []step
	}{
		"increase":              {steps: []step{{cumulative(5, 0, 10), baseline, 0}, {cumulative(10, 0, 13), counted, 3}}},
		"not newer is late":     {steps: []step{{cumulative(5, 0, 10), baseline, 0}, {cumulative(5, 0, 13), late, 0}, {cumulative(4, 0, 13), late, 0}}},
		"fall is a restart":     {steps: []step{{cumulative(5, 0, 10), baseline, 0}, {cumulative(10, 0, 4), counted, 4}}},
		"new start is a reset":  {steps: []step{{cumulative(5, 0, 10), baseline, 0}, {cumulative(10, 7, 12), counted, 12}}},
		"silence begins anew":   {steps: []step{{cumulative(5, 0, 10), baseline, 0}, {cumulative(500, 0, 1e6), baseline, 0}, {cumulative(505, 0, 1e6+2), counted, 2}}},
		"deltas":                {steps: []step{{delta(0, 5, 2), counted, 2}, {delta(5, 10, 3), counted, 3}}},
		"overlapping delta":     {steps: []step{{delta(0, 5, 2), counted, 2}, {delta(3, 8, 3), late, 0}}},
		"trusted start":         {trust: true, steps: []step{{cumulative(5, 0, 10), counted, 10}}},
		"trusted but long ago":  {trust: true, steps: []step{{cumulative(5, -600, 10), baseline, 0}}},
		"trusted without start": {trust: true, steps: []step{{point{at: sec(5), values: []float64{10}}, baseline, 0}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := counter{trustStart: tt.trust}
			for _, s := range tt.steps {
				inc := []float64{0}
				got := c.observe(s.p, inc)
				assert.Equal(t, s.want, got)
				if got == counted {
					assert.Equal(t, s.inc, inc[0])
				}
			}
		})
	}
}

func TestCounterForgets(t *testing.T) {
	c := counter{trustStart: true}
	c.observe(point{at: 5, values: []float64{1}}, make([]float64, 1))
	c.forget()
	assert.Equal(t, counter{trustStart: true}, c)
}

func TestTrailing(t *testing.T) {
	var w trailing
	now := time.Unix(1_000_000, 0)
	assert.Nil(t, w.sum(now, 1), "nothing counted yet")
	w.add(now, []float64{1})
	w.add(now.Add(10*time.Second), []float64{2})
	assert.Equal(t, []float64{3}, w.sum(now.Add(10*time.Second), 1))
	assert.Equal(t, []float64{2}, w.sum(now.Add(65*time.Second), 1), "the first has left the window")
	assert.Nil(t, w.sum(now.Add(10*time.Minute), 1))
	w.add(now.Add(60*time.Second), []float64{4}) // the bin of the first one, a turn later
	assert.Equal(t, []float64{6}, w.sum(now.Add(60*time.Second), 1))
	assert.Nil(t, w.sum(now.Add(60*time.Second), 2), "another layout")
}

func TestCadence(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	var c cadence
	assert.True(t, c.stale(now), "never heard")
	for range 3 {
		now = now.Add(time.Minute)
		c.observe(now)
		c.observe(now.Add(10 * time.Millisecond)) // a second batch of the same scrape
	}
	assert.Equal(t, time.Minute, c.interval)
	assert.False(t, c.stale(now.Add(2*time.Minute)), "scraped once a minute")
	assert.True(t, c.stale(now.Add(3*time.Minute+time.Second)))

	var fast cadence
	for range 5 {
		now = now.Add(time.Second)
		fast.observe(now)
	}
	assert.False(t, fast.stale(now.Add(15*time.Second)))
	assert.True(t, fast.stale(now.Add(16*time.Second)))
	fast.observe(now.Add(time.Hour)) // an outage
	assert.LessOrEqual(t, fast.interval, 2*time.Second)
}
