//go:build cgo && linux

package nvmlreceiver

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What each metric alone costs on each kind of GPU: the NVML functions that a sample and a collection call.
func TestCallsOfEachMetric(t *testing.T) {
	var out strings.Builder
	for _, kind := range sortedKeys(machines()) {
		fmt.Fprintf(&out, "# %s\n", kind)
		for _, metric := range append([]string{"none"}, sortedKeys(metricLevels())...) {
			l := newMachine(t, kind, func(c *Config) { only(c, metric) })
			l.begin()
			for range 3 { // until what is asked once, or refused, is known
				l.collect(time.Second)
			}
			before := l.state.Calls()
			l.work(time.Second)
			l.worker.note(l.worker.sample())
			l.worker.collect()
			var called []string
			for name, n := range l.state.Calls() {
				if n > before[name] {
					called = append(called, fmt.Sprintf("%s %d", name, n-before[name]))
				}
			}
			slices.Sort(called)
			fmt.Fprintf(&out, "%s\n", strings.TrimSpace(metric+": "+strings.Join(called, ", ")))
			l.end()
		}
	}
	golden(t, "calls.txt", out.String())
}

// only turns one metric on.
func only(c *Config, metric string) {
	c.Metrics = map[string]MetricConfig{}
	for name := range metricLevels() {
		c.Metrics[name] = MetricConfig{Enabled: new(name == metric)}
	}
}

func total(calls map[string]uint64) (n uint64) {
	for _, c := range calls {
		n += c
	}
	return n
}

// callsPerSecond is how often NVML is called for one GPU, over a minute after the start.
func callsPerSecond(t *testing.T, kind string, preset Preset, sampling, collection time.Duration) float64 {
	l := newLone(t, kind, func(c *Config) { c.Preset, c.SamplingInterval, c.CollectionInterval = preset, sampling, collection }, nil)
	l.begin()
	l.collect(time.Second)
	l.collect(time.Second)
	before := total(l.state.Calls())
	const minute, step = time.Minute, 10 * time.Millisecond
	for at := step; at <= minute; at += step {
		l.work(step)
		if l.worker.sampling() && at%sampling == 0 {
			l.worker.note(l.worker.sample())
		}
		if at%collection == 0 {
			l.worker.collect()
		}
		if at%l.worker.shop.cfg.DiscoveryInterval == 0 {
			<-l.find.start(0).done
			l.worker.look()
		}
	}
	calls := float64(total(l.state.Calls()) - before)
	l.end()
	return calls/minute.Seconds() + float64(time.Second/eventWait)
}

// The table of the README is what the receiver does.
func TestCallsPerSecond(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	lines := map[string]bool{}
	for line := range strings.Lines(string(readme)) {
		lines[strings.TrimSpace(line)] = true
	}
	for _, kind := range []string{"h100", "a100"} {
		for _, preset := range presets() {
			for _, sampling := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, time.Second} {
				row := fmt.Sprintf("| %s | %s | %g |", strings.ToUpper(kind), preset, sampling.Seconds()*1000)
				for _, collection := range []time.Duration{time.Second, 5 * time.Second, 15 * time.Second} {
					row += fmt.Sprintf(" %.1f |", math.Round(10*callsPerSecond(t, kind, preset, sampling, collection))/10)
				}
				assert.True(t, lines[row], "missing in README.md: %s", row)
			}
		}
	}
}
