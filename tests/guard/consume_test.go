//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
)

const (
	recordedPage     = "../engines/recordings/vllm-0.32.0-cpu/metrics-006.prom"
	recordedVersion  = "0.32.0"
	consumeWorkers   = 50
	consumeStart     = 1_767_225_600 // 2026-01-01, s since the epoch: the past has room for all rounds
	consumeIntervals = time.Second
)

// recorded is a scrape of each of some workers of one fleet, which all serve the same recorded page.
func recorded(tb testing.TB) pmetric.Metrics {
	page, err := os.ReadFile(recordedPage)
	require.NoError(tb, err)
	dialects, err := dialect.Load()
	require.NoError(tb, err)
	all := pmetric.NewMetrics()
	for i := range consumeWorkers {
		book := exposition.NewBook(exposition.Settings{
			Dialects: dialects, Scope: "guard", MaxSeries: 20_000,
			Identity: exposition.Identity{Address: fmt.Sprintf("10.0.0.%d", i), Port: 8000, Fleet: "fleet", Host: fmt.Sprintf("host-%d", i)},
		})
		md, _, err := book.Scrape(page, false, time.Unix(consumeStart, 0), recordedVersion)
		require.NoError(tb, err)
		md.ResourceMetrics().MoveAndAppendTo(all.ResourceMetrics())
	}
	return all
}

// numbers are the points of a batch with what they were recorded with, to be moved on without a look for them.
type numbers struct {
	gauges     []pmetric.NumberDataPoint
	sums       []pmetric.NumberDataPoint
	sumsAre    []float64
	histograms []pmetric.HistogramDataPoint
	sumsOf     []float64
	counts     [][]uint64
}

func numbersOf(md pmetric.Metrics) (n numbers) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			switch m.Type() {
			case pmetric.MetricTypeGauge:
				for _, p := range m.Gauge().DataPoints().All() {
					n.gauges = append(n.gauges, p)
				}
			case pmetric.MetricTypeSum:
				for _, p := range m.Sum().DataPoints().All() {
					v := p.DoubleValue()
					if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
						v = float64(p.IntValue())
					}
					n.sums, n.sumsAre = append(n.sums, p), append(n.sumsAre, v)
				}
			case pmetric.MetricTypeHistogram:
				for _, p := range m.Histogram().DataPoints().All() {
					n.histograms, n.sumsOf = append(n.histograms, p), append(n.sumsOf, p.Sum())
					n.counts = append(n.counts, p.BucketCounts().AsRaw())
				}
			}
		}
	}
	return n
}

// move makes them those of the n-th scrape: whatever counts is n times what was recorded.
func (all *numbers) move(n int) {
	start := pcommon.NewTimestampFromTime(time.Unix(consumeStart, 0))
	at := start + pcommon.Timestamp(n)*pcommon.Timestamp(consumeIntervals)
	for _, p := range all.gauges {
		p.SetTimestamp(at)
	}
	for i, p := range all.sums {
		p.SetStartTimestamp(start)
		p.SetTimestamp(at)
		if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
			p.SetIntValue(int64(all.sumsAre[i]) * int64(n))
		} else {
			p.SetDoubleValue(all.sumsAre[i] * float64(n))
		}
	}
	for i, p := range all.histograms {
		p.SetStartTimestamp(start)
		p.SetTimestamp(at)
		p.SetSum(all.sumsOf[i] * float64(n))
		sum, buckets := uint64(0), p.BucketCounts()
		for b, count := range all.counts[i] {
			buckets.SetAt(b, count*uint64(n))
			sum += count * uint64(n)
		}
		p.SetCount(sum)
	}
}

// BenchmarkConsume is one scrape of 50 workers through a processor alone, with the windows that close and what is derived of them: of each
// five scrapes one closes a window. "nothing" is what it takes to move the points on, which is in all of them.
func BenchmarkConsume(b *testing.B) {
	all := consumers(b)
	nothing, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error { return nil })
	require.NoError(b, err)
	for _, name := range []string{"nothing", "phase_attribution", "kv_fragmentation", "disaggregation"} {
		b.Run(name, func(b *testing.B) {
			md := recorded(b)
			points, moved, n := md.DataPointCount(), numbersOf(md), 0
			c, ok := all[name]
			if !ok {
				c = nothing
			}
			round := func() {
				n++
				moved.move(n)
				if err := c.ConsumeMetrics(context.Background(), md); err != nil {
					b.Fatal(err)
				}
			}
			for range 20 {
				round()
			}
			b.ReportAllocs()
			before := used(b)
			for b.Loop() {
				round()
			}
			b.ReportMetric(float64((used(b)-before).Nanoseconds())/float64(b.N)/float64(points), "cpu-ns/point")
		})
	}
}

// used is the CPU time of the process, which on a busy machine is less than what passes.
func used(tb testing.TB) time.Duration {
	var r syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
