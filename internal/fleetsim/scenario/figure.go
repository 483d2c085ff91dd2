package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// figure is something of the truth that a remedy can better.
type figure struct {
	of     func(*fleetsim.Fleet, *fleetsim.Truth) float64
	higher bool // is better
}

// figures are the values of a scenario's improves.
func figures() map[string]figure {
	type truth = fleetsim.Truth
	perTransfer := func(sum float64, t *truth) float64 { return sum / float64(max(t.Transfers.Fetched, 1)) }
	return map[string]figure{
		"goodput":           {func(_ *fleetsim.Fleet, t *truth) float64 { return float64(t.Goodput.Both) / t.SimulatedSeconds }, true},
		"ttft_p90":          {func(_ *fleetsim.Fleet, t *truth) float64 { return t.TTFT.P90 }, false},
		"ttft_p99":          {func(_ *fleetsim.Fleet, t *truth) float64 { return t.TTFT.P99 }, false},
		"itl_p50":           {func(_ *fleetsim.Fleet, t *truth) float64 { return t.ITL.P50 }, false},
		"recomputed_tokens": {func(_ *fleetsim.Fleet, t *truth) float64 { return float64(t.RecomputedTokens) }, false},
		"expired_leases":    {func(_ *fleetsim.Fleet, t *truth) float64 { return float64(t.Transfers.ExpiredLeases) }, false},
		"transfer_seconds":  {func(_ *fleetsim.Fleet, t *truth) float64 { return perTransfer(t.Transfers.Seconds, t) }, false},
		"exposed_seconds":   {func(_ *fleetsim.Fleet, t *truth) float64 { return perTransfer(t.Transfers.ExposedSeconds, t) }, false},
		"kv_pool_bytes": {func(f *fleetsim.Fleet, _ *truth) float64 {
			sum := 0.0
			for w := range f.Workers() {
				sum += f.KVPoolBytes(w)
			}
			return sum
		}, false},
	}
}

// checkFigure refuses unknown names.
func checkFigure(name string) error {
	if _, ok := figures()[name]; name != "" && !ok {
		return fmt.Errorf("improves: must be one of %s, is %q", strings.Join(slices.Sorted(maps.Keys(figures())), ", "), name)
	}
	return nil
}

// Measure reads the figure that the scenario's remedy betters, and whether more of it is better.
func (s *Scenario) Measure(f *fleetsim.Fleet) (value float64, higherIsBetter bool) {
	x := figures()[s.Improves]
	t := f.Truth()
	return x.of(f, &t), x.higher
}
