package dialect

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func TestResolve(t *testing.T) {
	d := loadVLLM(t)
	for _, tt := range []struct {
		name, declared string
		verdict        Verdict
		part           Part
		base           string
	}{
		{"vllm:prompt_tokens_total", "counter", Known, Value, "vllm:prompt_tokens"},
		{"vllm:prompt_tokens", "unknown", Known, Value, "vllm:prompt_tokens"},
		{"vllm:estimated_read_bytes_per_gpu_total_total", "counter", Known, Value, "vllm:estimated_read_bytes_per_gpu"},
		{"vllm:iteration_tokens_total_bucket", "histogram", Known, Bucket, "vllm:iteration_tokens"},
		{"vllm:iteration_tokens_total_created", "gauge", Known, Created, "vllm:iteration_tokens"},
		{"vllm:iteration_tokens_total_sum", "", Known, Sum, "vllm:iteration_tokens"},
		// A counter of the engine that a page calls a gauge is something else under the same name.
		{"vllm:gpu_prefix_cache_hits_total", "gauge", Unknown, Value, "vllm:gpu_prefix_cache_hits"},
		{"vllm:iteration_tokens_total", "counter", Unknown, Value, "vllm:iteration_tokens"},
		{"vllm:time_to_first_token_seconds_count", "summary", Unknown, Count, "vllm:time_to_first_token_seconds"},
		{"vllm:cache_config_info", "gauge", Known, Value, "vllm:cache_config_info"},
		{"vllm:cache_config_info", "info", Known, Value, "vllm:cache_config_info"},
		// Unknown families count once, whatever the parts they show.
		{"vllm:new_thing_total", "counter", Unknown, Value, "vllm:new_thing"},
		{"vllm:new_thing_created", "gauge", Unknown, Value, "vllm:new_thing"},
		{"vllm:new_seconds_bucket", "histogram", Unknown, Value, "vllm:new_seconds"},
		{"vllm:new_seconds_count", "", Unknown, Value, "vllm:new_seconds"},
		{"vllm:queue_count", "gauge", Unknown, Value, "vllm:queue_count"},
		{"vllm:prompt_tokens_bucket", "histogram", Unknown, Value, "vllm:prompt_tokens"},
	} {
		m := d.Resolve(tt.name, tt.declared)
		assert.Equal(t, tt.verdict, m.Verdict, tt.name)
		assert.Equal(t, tt.part, m.Part, tt.name)
		assert.Equal(t, tt.base, m.Base, tt.name)
	}
}

func TestRead(t *testing.T) {
	d := loadVLLM(t)
	for _, tt := range []struct {
		name       string
		labels     map[string]string
		want       Series
		attributes []Attribute
	}{
		{
			"vllm:request_success_total", map[string]string{"model_name": "m", "engine": "1", "finished_reason": "stop"},
			Series{Ours: true, Rank: "1", Model: "m"}, []Attribute{{signal.AttrFinishReason, "stop"}},
		},
		{
			"vllm:request_success_total", map[string]string{"model_name": "m", "engine": "0", "finish_reason": "abort"},
			Series{Ours: true, Rank: "0", Model: "m"}, []Attribute{{signal.AttrFinishReason, "abort"}},
		},
		{
			"vllm:kv_offload_total_bytes_total", map[string]string{"model_name": "m", "engine": "0", "transfer_type": "GPU_to_CPU"},
			Series{Ours: true, Rank: "0", Model: "m"}, []Attribute{{signal.AttrIODirection, signal.IOStore}},
		},
		{
			"vllm:request_prefill_time_seconds_bucket", map[string]string{"model_name": "m", "le": "0.3"},
			Series{Ours: true, Model: "m", Bound: "0.3"}, []Attribute{{signal.AttrPhase, signal.PhasePrefill}},
		},
		{"vllm:num_requests_running", map[string]string{"model_name": "m", "pid": "7"}, Series{Ours: true, Model: "m", Process: "7"}, nil},
		{"vllm:num_requests_running", map[string]string{"server": "http://a"}, Series{}, nil},
		{"vllm:num_requests_running", map[string]string{"server": "x", "engine": "0"}, Series{Ours: true, Rank: "0"}, nil},
	} {
		m := d.Resolve(tt.name, "")
		require.Equal(t, Known, m.Verdict, tt.name)
		tt.want.Rows = []Reading{{m.candidates[0], tt.attributes}}
		assert.Equal(t, tt.want, d.Read(m, maps.All(tt.labels)), tt.name)
	}
}

func TestReadFacts(t *testing.T) {
	d := loadVLLM(t)
	facts := func(name string, labels map[string]string) (map[string]float64, map[string]any) {
		got := d.Resolve(name, "gauge").candidates[0].ReadFacts(maps.All(labels))
		gauges, attributes := make(map[string]float64), make(map[string]any)
		for _, g := range got.Gauges {
			key := g.Metric.Name
			for _, a := range g.Attributes {
				key += " " + a.Value
			}
			gauges[key] = g.Value
		}
		for _, a := range got.Attributes {
			attributes[a.Key] = a.Value
		}
		return gauges, attributes
	}
	gauges, attributes := facts("vllm:cache_config_info", map[string]string{
		"block_size": "16", "num_gpu_blocks": "100", "kv_cache_size_tokens": "1500", "cache_dtype": "fp8",
		"enable_prefix_caching": "False", "gpu_memory_utilization": "0.9",
	})
	assert.Equal(t, map[string]float64{signal.KVBlockSize: 16, signal.KVCapacityTokens: 1500, signal.KVCapacityBlocks: 100}, gauges)
	assert.Equal(t, map[string]any{
		signal.AttrCacheDataType: "fp8", signal.AttrPrefixCaching: false, signal.AttrMemoryUtilization: 0.9,
	}, attributes)

	gauges, attributes = facts("vllm:cache_config_info", map[string]string{
		"block_size": "16", "num_gpu_blocks": "100", "kv_cache_size_tokens": "None", "enable_prefix_caching": "None",
	})
	assert.Equal(t, map[string]float64{signal.KVBlockSize: 16, signal.KVCapacityTokens: 1600, signal.KVCapacityBlocks: 100}, gauges)
	assert.Empty(t, attributes)

	gauges, _ = facts("vllm:cache_config_info", map[string]string{"block_size": "None", "num_gpu_blocks": "100"})
	assert.Equal(t, map[string]float64{signal.KVCapacityBlocks: 100}, gauges)

	gauges, _ = facts("vllm:lora_requests_info", map[string]string{
		"max_lora": "4", "running_lora_adapters": "a,b", "waiting_lora_adapters": "",
	})
	assert.Equal(t, map[string]float64{
		signal.LoRAAdapters + " running": 2, signal.LoRAAdapters + " waiting": 0, signal.LoRAAdapterLimit: 4,
	}, gauges)
}

func TestVariant(t *testing.T) {
	d := loadVLLM(t)
	with := func(names ...string) func(string) bool {
		return func(name string) bool {
			for _, n := range names {
				if n == name {
					return true
				}
			}
			return false
		}
	}
	for _, tt := range []struct {
		name string
		e    Evidence
		want string
	}{
		{"V1", Evidence{Ranked: true, Python: true, Has: with()}, VariantV1},
		{"V1 with several API servers has no python_info", Evidence{Ranked: true, Has: with()}, VariantV1},
		{"V1 in OpenMetrics", Evidence{Ranked: true, Python: true, EOF: true, Has: with()}, VariantV1},
		{"Rust by its HELP", Evidence{Ranked: true, DoubleStop: true, Has: with()}, VariantRust},
		{"Rust by its end", Evidence{Ranked: true, EOF: true, Has: with()}, VariantRust},
		{"V0 by swapping", Evidence{Python: true, Has: with("vllm:num_requests_swapped")}, VariantV0},
		{"V0 by its cache", Evidence{Has: with("vllm:gpu_cache_usage_perc")}, VariantV0},
		{"nothing yet", Evidence{Has: with()}, ""},
	} {
		assert.Equal(t, tt.want, d.Variant(tt.e), tt.name)
	}
}

func TestScale(t *testing.T) {
	assert.Equal(t, 0.009, Scale{Den: 1000}.Apply(9))
	assert.Equal(t, 3e6, Scale{Num: 1e6}.Apply(3))
	assert.Equal(t, 5.5, Scale{}.Apply(5.5))
}

func TestOf(t *testing.T) {
	set, err := Load()
	require.NoError(t, err)
	assert.Equal(t, EngineVLLM, set.Of("vllm:anything").Engine())
	assert.Nil(t, set.Of("process_start_time_seconds"))
	assert.Nil(t, set.Of(""))
}

func TestCompileRefuses(t *testing.T) {
	for _, tt := range []struct {
		row  Row
		want string
	}{
		{Row{Name: "x:a", Metric: "nope"}, `dialect x: x:a: metric "nope" is not in the vocabulary`},
		{Row{Name: "x:a_total", Metric: signal.Preemptions}, "dialect x: x:a_total: must be without _total"},
		{Row{Name: "x:a", Kind: Gauge, Metric: signal.Preemptions}, "dialect x: x:a: a gauge cannot become the sum llm.engine.preemptions"},
		{Row{Name: "x:a", AliasOf: "x:b"}, "dialect x: x:a: alias of the unknown family x:b"},
		{Row{Name: "x:a", Metric: signal.Preemptions, YieldsTo: []string{"x:b"}}, "dialect x: x:a: yields to the unknown family x:b"},
		{Row{Name: "x:*", Metric: signal.Preemptions}, "dialect x: x:*: a prefix can only be ignored"},
		{Row{Name: "x:a", Kind: Info}, "dialect x: x:a: an info family needs facts"},
		{
			Row{Name: "x:a", Metric: signal.Preemptions, Labels: []Label{{From: []string{"l"}, To: "t"}}},
			"dialect x: x:a: llm.engine.preemptions has no attribute t",
		},
		{
			Row{Name: "x:a", Metric: signal.Preemptions, Fixed: []Attribute{{"t", "v"}}},
			"dialect x: x:a: llm.engine.preemptions has no attribute t",
		},
		{
			Row{Name: "x:a", Kind: Info, Facts: []Fact{{Attribute: "t"}}},
			"dialect x: x:a: llm.engine.info has no attribute t",
		},
		{
			Row{Name: "x:a", Kind: Info, Facts: []Fact{{Metric: signal.Preemptions}}},
			`dialect x: x:a: metric "llm.engine.preemptions" is no gauge of the vocabulary`,
		},
	} {
		_, err := Compile(Table{Engine: "x", Rows: []Row{tt.row}})
		assert.EqualError(t, err, tt.want)
	}
	twice := Row{Name: "x:a", Metric: signal.Preemptions}
	_, err := Compile(Table{Engine: "x", Rows: []Row{twice, twice}})
	assert.EqualError(t, err, "dialect x: x:a: is there twice")
}
