package main

import (
	"fmt"
	"time"

	scenarios "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
)

// stormVerdict is the verdict on a fleet that computes the same blocks over and over, and on the same fleet with room for them.
func stormVerdict(report func(result)) error {
	const lasts = 12 * time.Minute
	for _, c := range []struct {
		name      string
		overrides []scenarios.Override
		bar       string
		pass      func(share float64) bool
	}{
		{"kv-thrash", nil, "60%", func(share float64) bool { return share >= 0.6 }},
		{"kv-thrash-remedied", []scenarios.Override{set("pools[0].kv_blocks", "60000")}, "0%", func(share float64) bool { return share == 0 }},
	} {
		w, err := watchKV(kvAdviceCase{scenario: "kv-thrash", lasts: lasts}, scenarios.Options{Overrides: c.overrides})
		if err != nil {
			return err
		}
		late := told{}
		for _, v := range w.told.verdicts {
			if v.at > lasts/2 { // the cache is full by then
				late.verdicts = append(late.verdicts, v)
			}
		}
		share := late.windowsOf("kv_storm")
		report(result{
			name: "A11/verdict/" + c.name + "/synthetic", value: fmt.Sprintf("%.0f%%(of:%d)", 100*share, len(late.verdicts)), bar: c.bar,
			pass: len(late.verdicts) > 0 && c.pass(share),
		})
	}
	return nil
}
