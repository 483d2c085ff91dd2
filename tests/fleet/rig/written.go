package rig

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Written is who wrote which point of the series that gateways derive of fleets.
type Written struct {
	series map[string]*derived
	heard  map[hearing][]time.Time // data times of workers' points that gateways passed on, as they came

	attributed map[worker][]time.Time // ends of windows that agents told of, as they came
}

// hearing is one worker at one gateway.
type hearing struct{ gateway, fleet, worker string }

// derived is one series, whoever wrote it.
type derived struct {
	fleet, metric string
	points        []writing // as they came
}

// writing is one point of a series.
type writing struct {
	at      time.Time // of the data
	gateway string
	ended   bool // no recorded value: the gateway says that the series ended
}

func newWritten() *Written {
	return &Written{series: map[string]*derived{}, heard: map[hearing][]time.Time{}, attributed: map[worker][]time.Time{}}
}

// hear remembers when the receivers of engines told of a worker.
func (w *Written) hear(gateway string, resource pcommon.Resource, metric pmetric.Metric) {
	if metric.Name() != "up" || metric.Type() != pmetric.MetricTypeGauge || metric.Gauge().DataPoints().Len() == 0 {
		return
	}
	who := workerOf(resource)
	of := hearing{gateway, who.fleet, who.name}
	w.heard[of] = append(w.heard[of], metric.Gauge().DataPoints().At(0).Timestamp().AsTime())
}

// Recovery is when, in data time, a gateway first passed on the word of a worker of a fleet after a moment, and first derived anything of the
// fleet; zero for never.
func (w *Written) Recovery(fleet, gateway string, since time.Time) (heard, first time.Time) {
	for of, times := range w.heard {
		if of.gateway != gateway || of.fleet != fleet {
			continue
		}
		if at := earliest(times, since); !at.IsZero() && (heard.IsZero() || at.Before(heard)) {
			heard = at
		}
	}
	for _, s := range w.series {
		for _, p := range s.points {
			if s.fleet == fleet && p.gateway == gateway && !p.ended && p.at.After(since) && (first.IsZero() || p.at.Before(first)) {
				first = p.at
			}
		}
	}
	return heard, first
}

// earliest is the first of times after a moment, zero for none.
func earliest(times []time.Time, since time.Time) (first time.Time) {
	for _, at := range times {
		if at.After(since) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// take remembers points of the disaggregation processor, and when workers were heard of.
func (w *Written) take(gateway string, resource pcommon.Resource, scope pcommon.InstrumentationScope, metric pmetric.Metric) {
	w.hear(gateway, resource, metric)
	w.attribute(resource, scope, metric)
	if !strings.Contains(scope.Name(), "disaggregation") {
		return
	}
	fleet, _ := resource.Attributes().Get("llm.fleet.name")
	base := metric.Name() + fmt.Sprint(resource.Attributes().AsRaw()) // maps print in the order of their keys
	add := func(attributes pcommon.Map, at pcommon.Timestamp, flags pmetric.DataPointFlags) {
		key := base + fmt.Sprint(attributes.AsRaw())
		s := w.series[key]
		if s == nil {
			s = &derived{fleet: fleet.Str(), metric: metric.Name()}
			w.series[key] = s
		}
		s.points = append(s.points, writing{at.AsTime(), gateway, flags.NoRecordedValue()})
	}
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		for _, p := range metric.Gauge().DataPoints().All() {
			add(p.Attributes(), p.Timestamp(), p.Flags())
		}
	case pmetric.MetricTypeSum:
		for _, p := range metric.Sum().DataPoints().All() {
			add(p.Attributes(), p.Timestamp(), p.Flags())
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range metric.Histogram().DataPoints().All() {
			add(p.Attributes(), p.Timestamp(), p.Flags())
		}
	}
}

// Owner is the gateway that wrote the newest derived point of a fleet, "" for none yet.
func (w *Written) Owner(fleet string) string {
	var newest writing
	for _, s := range w.series {
		for _, p := range s.points {
			if s.fleet == fleet && !p.ended && p.at.After(newest.at) {
				newest = p
			}
		}
	}
	return newest.gateway
}

// Newest is the data time of a fleet's newest derived point of one gateway.
func (w *Written) Newest(fleet, gateway string) time.Time {
	var newest time.Time
	for _, s := range w.series {
		for _, p := range s.points {
			if s.fleet == fleet && p.gateway == gateway && !p.ended && p.at.After(newest) {
				newest = p.at
			}
		}
	}
	return newest
}

// Clash is what gateways wrote of one fleet that they should not have.
type Clash struct {
	Points  int // points of one series and one time that two gateways wrote
	Windows int // times at which that was so
	Changes int // most often that a series went from one gateway to another, in data time
}

// Clashes judges all series of a fleet.
func (w *Written) Clashes(fleet string) Clash {
	var c Clash
	windows := map[int64]bool{}
	for _, s := range w.series {
		if s.fleet == fleet {
			s.judge(&c, windows)
		}
	}
	c.Windows = len(windows)
	return c
}

func (s *derived) judge(c *Clash, windows map[int64]bool) {
	points := slices.DeleteFunc(slices.Clone(s.points), func(p writing) bool { return p.ended })
	slices.SortStableFunc(points, func(a, b writing) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.gateway, b.gateway))
	})
	changes := 0
	for i := 1; i < len(points); i++ {
		last, p := points[i-1], points[i]
		if last.gateway == p.gateway {
			continue
		}
		changes++
		if last.at.Equal(p.at) {
			c.Points++
			windows[p.at.UnixNano()] = true
		}
	}
	c.Changes = max(c.Changes, changes)
}

// Gap is the longest time, in data time, for which nothing was derived of a fleet between two moments.
func (w *Written) Gap(fleet string, from, to time.Time) time.Duration {
	var times []time.Time
	for _, s := range w.series {
		for _, p := range s.points {
			if s.fleet == fleet && !p.ended && !p.at.Before(from) && !p.at.After(to) {
				times = append(times, p.at)
			}
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	longest, last := time.Duration(0), from
	for _, at := range append(times, to) {
		longest, last = max(longest, at.Sub(last)), at
	}
	return longest
}

// Counts are the points by metric, to see what is there.
func (w *Written) Counts(fleet string) map[string]int {
	counts := map[string]int{}
	for _, s := range w.series {
		if s.fleet == fleet {
			counts[s.metric] += len(s.points)
		}
	}
	return counts
}
