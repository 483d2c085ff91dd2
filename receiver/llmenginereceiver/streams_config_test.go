package llmenginereceiver

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStreamConfigs(t *testing.T) {
	cfg, err := load(t, map[string]any{
		"endpoint":       "a:1",
		"kv_events":      map[string]any{"endpoint": "tcp://a:5557", "ranks": 2},
		"forward_passes": map[string]any{"endpoint": "tcp://a:20380"},
		"endpoints": []any{
			map[string]any{"endpoint": "b:1", "kv_events": "tcp://b:5557", "fleet": "blue"},
			map[string]any{"forward_passes": map[string]any{"endpoint": "ipc:///run/fpm.{rank}", "ranks": 3}},
			"c:1",
		},
		"role": "decode",
	})
	require.NoError(t, err)
	assert.Equal(t, []EndpointConfig{
		{Endpoint: "a:1", Role: "decode", KVEvents: &KVStreamConfig{Endpoint: "tcp://a:5557", Ranks: 2}, ForwardPasses: &PassStreamConfig{Endpoint: "tcp://a:20380"}},
		{Endpoint: "b:1", Role: "decode", Fleet: "blue", KVEvents: &KVStreamConfig{Endpoint: "tcp://b:5557"}},
		{Role: "decode", ForwardPasses: &PassStreamConfig{Endpoint: "ipc:///run/fpm.{rank}", Ranks: 3}},
		{Endpoint: "c:1", Role: "decode"},
	}, cfg.all())
	assert.Equal(t, 64<<20, cfg.Streams.KVEvents.MemoryLimit)
	assert.True(t, cfg.Streams.Pages.Enabled)
}

func TestInvalidStreamConfigs(t *testing.T) {
	kv := func(fields ...any) map[string]any {
		m := map[string]any{"endpoint": "tcp://h:5557"}
		for i := 0; i < len(fields); i += 2 {
			m[fields[i].(string)] = fields[i+1]
		}
		return map[string]any{"kv_events": m}
	}
	for name, tt := range map[string]struct {
		values map[string]any
		want   string
	}{
		"scheme":   {kv("endpoint", "h:1"), `endpoint: kv_events: endpoint must be tcp://host:port or ipc://path (got "h:1")`},
		"replay":   {kv("replay_endpoint", "tcp://*:1"), `endpoint: kv_events: replay_endpoint must be tcp://host:port, with the host to connect to (got "tcp://*:1")`},
		"no place": {kv("endpoint", "", "topic", "kv"), `endpoint: kv_events: endpoint must be tcp://host:port or ipc://path (got "")`},
		"ranks":    {kv("ranks", -1), "endpoint: kv_events: ranks must be between 0 and 1024 (got -1)"},
		"ports":    {kv("endpoint", "tcp://h:65535", "ranks", 2), `endpoint: kv_events: endpoint must have a port from 1 to 65535 at every rank (got "tcp://h:65535" for rank 1)`},
		"memory":   {kv("memory_limit", 1000), "kv_events: memory_limit must be between 1048576 and 4294967296 (got 1000)"},
		"memory of all": {
			kv("memory_limit", 2<<20, "ranks", 3), "kv_events: memory_limit must be between 3145728 and 4294967296 (got 2097152)",
		},
		"horizon":  {kv("horizon", "1ms"), "kv_events: horizon must be at least 1s (got 1ms)"},
		"exact":    {kv("exact_blocks", 1), "kv_events: exact_blocks must be between 1024 and 67108864 (got 1)"},
		"sampled":  {kv("sampled_blocks", 1), "kv_events: sampled_blocks must be between 1024 and 67108864 (got 1)"},
		"distance": {kv("max_reuse_distance", 1), "kv_events: max_reuse_distance must be between 1024 and 67108864 (got 1)"},
		"workers":  {kv("expected_workers", -1), "kv_events: expected_workers must be at least 0 (got -1)"},
		"twice": {
			map[string]any{"endpoints": []any{
				map[string]any{"endpoint": "a:1", "kv_events": map[string]any{"endpoint": "tcp://h:5557", "ranks": 2}},
				map[string]any{"endpoint": "b:1", "kv_events": "tcp://h:5558"},
			}},
			"endpoints[1]: a stream must be there once (got tcp://h:5558, as in endpoints[0])",
		},
		"role of a stream alone": {
			map[string]any{"endpoints": []any{map[string]any{"role": "boss", "kv_events": "tcp://h:1"}}},
			`endpoints[0]: role must be one of prefill, decode, aggregated, encode, router (got "boss")`,
		},
		"passes": {
			map[string]any{"endpoints": []any{map[string]any{"endpoint": "h:1", "forward_passes": map[string]any{"endpoint": "x"}}}},
			`endpoints[0]: forward_passes: endpoint must be tcp://host:port or ipc://path (got "x")`,
		},
		"passes' ranks": {
			map[string]any{"forward_passes": map[string]any{"endpoint": "tcp://h:1", "ranks": 2000}},
			"endpoint: forward_passes: ranks must be between 0 and 1024 (got 2000)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, tt.values)
			assert.EqualError(t, err, tt.want)
		})
	}
	_, err := load(t, kv("topics", "x"))
	assert.ErrorContains(t, err, "topics")
	_, err = load(t, map[string]any{"endpoint": "h:1", "scrape": map[string]any{"enable": true}})
	assert.ErrorContains(t, err, "enable")
}
