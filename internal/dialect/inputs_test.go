package dialect

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func missing(d *Dialect, version string, page map[string]float64, connected ...string) map[string]string {
	found := make(map[string]string)
	for _, h := range d.Missing(Seen{Version: version, Connected: connected, Value: func(family string) (float64, bool) {
		v, ok := page[family]
		return v, ok
	}}) {
		found[h.Source] = h.Text
	}
	return found
}

func TestInputsOfVLLM(t *testing.T) {
	d := load(t).Of("vllm:x")
	page := map[string]float64{"vllm:kv_cache_usage_perc": 0, "vllm:generation_tokens": 10, "vllm:estimated_flops_per_gpu": 0}
	got := missing(d, "0.32.0", page)
	assert.Equal(t, []string{"--kv-cache-metrics", "--enable-mfu-metrics"}, []string{got[signal.SourceKVResidency], got[signal.SourceEffort]})
	assert.Contains(t, got[signal.SourceKVEvents], `--kv-events-config '{"enable_kv_cache_events":true`)
	assert.NotContains(t, got, signal.SourceForwardPasses, "in no release yet, outside Dynamo")
	assert.NotContains(t, got, signal.SourceNIXL, "no connector")

	page["dynamo_component_requests"] = 1
	assert.Equal(t, "DYN_FORWARDPASS_METRIC_PORT=20380", missing(d, "0.32.0", page)[signal.SourceForwardPasses])
	page["vllm:nixl_xfer_time_seconds"] = 0
	assert.Equal(t, "NIXL_TELEMETRY_ENABLE=y NIXL_TELEMETRY_DIR=/dev/shm/nixl", missing(d, "0.32.0", page)[signal.SourceNIXL])

	page["vllm:kv_block_lifetime_seconds"], page["vllm:estimated_flops_per_gpu"] = 0, 5
	got = missing(d, "0.32.0", page, signal.SourceKVEvents, signal.SourceTraces, signal.SourceNIXL, signal.SourceForwardPasses)
	assert.Empty(t, got, "all is on")

	page["vllm:generation_tokens"], page["vllm:estimated_flops_per_gpu"] = 0, 0
	assert.NotContains(t, missing(d, "0.32.0", page), signal.SourceEffort, "before the first token nothing is proved")
	assert.Equal(t, map[string]string{signal.SourceTraces: "--otlp-traces-endpoint http://localhost:4317"},
		missing(d, "0.6.6", map[string]float64{"vllm:gpu_cache_usage_perc": 0}), "V0 has no more")
}

func TestInputsOfOthers(t *testing.T) {
	d := load(t).Of("sglang:x")
	page := map[string]float64{"sglang:page_size": 16, "sglang:realtime_tokens": 5}
	got := missing(d, "0.5.23", page)
	assert.Equal(t, "--enable-forward-pass-metrics --forward-pass-metrics-ipc-name /run/sglang-fpm", got[signal.SourceForwardPasses])
	assert.Equal(t, "SGLANG_ENABLE_METRICS_DEVICE_TIMER=1", got[signal.SourceIterations])
	assert.NotContains(t, missing(d, "0.5.9", page), signal.SourceForwardPasses)
	assert.Contains(t, missing(d, "", page), signal.SourceForwardPasses, "an unknown release is the newest")
	assert.NotContains(t, missing(d, "", map[string]float64{"sglang:cache_config_info": 1}), signal.SourceForwardPasses, "unless its page is older")

	d = load(t).Of("trtllm_x")
	got = missing(d, "1.2.0", map[string]float64{"trtllm_num_requests_completed": 3, "trtllm_num_requests_running": 0})
	assert.Equal(t, "return_perf_metrics: true", got[signal.SourceRequests])
	assert.NotContains(t, got, signal.SourceKVEvents, "from 1.3 on")
	assert.NotContains(t, got, signal.SourceNIXL, "nothing is moved")
	got = missing(d, "1.3.0rc27", map[string]float64{"trtllm_request_success": 1})
	assert.Equal(t, "enable_iter_perf_stats: true", got[signal.SourceIterations])
	assert.Contains(t, got, signal.SourceKVEvents)
	assert.Equal(t, map[string]string{signal.SourceTraces: "--otlp-endpoint http://localhost:4317"}, missing(load(t).Of("tgi_x"), "3.3.0", nil))
	assert.Empty(t, missing(load(t).Of("llamacpp:x"), "b1", nil))
}

func TestReleases(t *testing.T) {
	for text, want := range map[string]release{
		"0.9.2": {0, 9, 2}, "1.3.0rc27": {1, 3, 0}, "v0.6.4.post1": {0, 6, 4}, "0.11": {0, 11, 0}, "0.23.1.dev0+g123": {0, 23, 1},
	} {
		got, ok := parseRelease(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "main", "v"} {
		_, ok := parseRelease(text)
		assert.False(t, ok, text)
	}
	assert.True(t, release{0, 9, 9}.before(release{0, 10}))
	assert.False(t, release{1}.before(release{0, 99}))
	assert.False(t, release{1}.before(release{1}))
}

// TestKVEventPortsOfRanksAreDisjoint: rank r of a data-parallel group binds r ports after both ports of the hint, so that the ranks
// of one base must not reach into the other.
func TestKVEventPortsOfRanksAreDisjoint(t *testing.T) {
	const maxRanks = 64
	ports := regexp.MustCompile(`"?(endpoint|replay_endpoint)"?: ?"tcp://\*:(\d+)"`)
	hints := 0
	for _, d := range load(t).dialects {
		for _, h := range d.table.Inputs {
			if h.Source != signal.SourceKVEvents {
				continue
			}
			hints++
			base := make(map[string]int)
			for _, found := range ports.FindAllStringSubmatch(h.Text, -1) {
				port, err := strconv.Atoi(found[2])
				require.NoError(t, err)
				base[found[1]] = port
			}
			require.Len(t, base, 2, "%s: %s", d.Engine(), h.Text)
			for ranks := 1; ranks <= maxRanks; ranks++ {
				bound := make(map[int]bool)
				for rank := range ranks {
					bound[base["endpoint"]+rank], bound[base["replay_endpoint"]+rank] = true, true
				}
				assert.Len(t, bound, 2*ranks, "%s: %d ranks", d.Engine(), ranks)
			}
		}
	}
	assert.GreaterOrEqual(t, hints, 3)
}

// Every input that sharpens estimates has a flag or a reason why there is none, for every engine.
func TestNoCellOfTheInputsIsEmpty(t *testing.T) {
	engines := 0
	for _, table := range Tables() {
		if table.Observer != "" || table.Engine == "lmcache" {
			continue
		}
		engines++
		for _, source := range []string{
			signal.SourceKVEvents, signal.SourceForwardPasses, signal.SourceKVResidency, signal.SourceEffort, signal.SourceNIXL, signal.SourceTraces,
		} {
			said := 0
			for _, h := range table.Inputs {
				if h.Source == source {
					said++
					assert.NotEmpty(t, h.Text, "%s: %s", table.Engine, source)
				}
			}
			for _, l := range table.Lacks {
				if l.Source == source {
					said++
					assert.NotEmpty(t, l.Why, "%s: %s", table.Engine, source)
				}
			}
			assert.Equal(t, 1, said, "%s: %s has either a flag or a reason", table.Engine, source)
		}
	}
	assert.Equal(t, 8, engines)
}

// A tier has one name, whatever the engine calls it.
func TestTiersHaveCanonicalNames(t *testing.T) {
	canonical := []string{signal.TierDevice, signal.TierHost, signal.TierDisk, signal.TierRemote}
	for _, table := range Tables() {
		for _, row := range table.Rows {
			for _, a := range row.Fixed {
				if a.Key == signal.AttrCacheTier || a.Key == signal.AttrCacheTierFrom {
					assert.Contains(t, canonical, a.Value, row.Name)
				}
			}
			for _, l := range row.Labels {
				if l.To != signal.AttrCacheTier {
					continue
				}
				for theirs, ours := range l.Values {
					assert.Contains(t, canonical, ours, "%s: %s", row.Name, theirs)
				}
				if row.Name == "sglang:cached_tokens" || row.Name == "trtllm_prompt_cache_hit_tokens" {
					assert.Equal(t, signal.TierDevice, l.Values["gpu"], row.Name)
					assert.Equal(t, signal.TierHost, l.Values["cpu"], row.Name)
				}
			}
		}
	}
}
