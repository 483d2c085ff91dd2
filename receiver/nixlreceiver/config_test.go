package nixlreceiver

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func load(values map[string]any) (*Config, error) {
	cfg := createDefaultConfig().(*Config)
	if err := confmap.NewFromStringMap(values).Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestExampleConfigs(t *testing.T) {
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	configs := make(map[string]*Config)
	for name := range conf.ToStringMap() {
		sub, err := conf.Sub(name)
		require.NoError(t, err)
		cfg := createDefaultConfig().(*Config)
		require.NoError(t, sub.Unmarshal(cfg))
		require.NoError(t, confmap.Validate(cfg), name)
		configs[name] = cfg
	}
	assert.Equal(t, createDefaultConfig(), configs["nixl"])
	all := configs["nixl/everything"]
	storage := component.MustNewID("file_storage")
	assert.Equal(t, &Config{
		Sources: SourcesConfig{
			Buffer:    BufferConfig{[]string{"/dev/shm/nixl"}, ModeConsume, 10 * time.Second, true, struct{}{}},
			Multiproc: MultiprocConfig{Directories: []string{"/dev/shm/nixl-mp"}},
			Links:     LinksConfig{Enabled: true},
		},
		CollectionInterval: 5 * time.Second, PollInterval: 20 * time.Millisecond, RescanInterval: 2 * time.Second,
		StaleAfter: time.Minute, MaxAgents: 64, AgentName: NameKeep, EngineLogs: []string{"/var/log/vllm/*.log"},
		Storage: &storage, ProcPath: "/host/proc", SysPath: "/host/sys",
	}, all)
}

func TestTheDefaultObservesAndPollsInTime(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	assert.Equal(t, ModeAuto, cfg.Sources.Buffer.Mode)
	assert.LessOrEqual(t, cfg.PollInterval, 100*time.Millisecond, "NIXL's own interval")
	assert.Empty(t, cfg.EngineLogs)
	assert.Equal(t, []string{"/dev/shm/nixl"}, cfg.Sources.Buffer.Directories)
}

func TestErrorsNameKeyBoundAndValue(t *testing.T) {
	buffer := func(key string, value any) map[string]any {
		return map[string]any{"sources": map[string]any{"buffer": map[string]any{key: value}}}
	}
	for want, values := range map[string]map[string]any{
		"collection_interval must be at least 100ms (got 1ms)":                      {"collection_interval": "1ms"},
		"poll_interval must be between 1ms and 100ms (got 1s)":                      {"poll_interval": "1s"},
		"poll_interval must be between 1ms and 100ms (got 0s)":                      {"poll_interval": "0s"},
		"rescan_interval must be at least 1s (got 10ms)":                            {"rescan_interval": "10ms"},
		"stale_after must be at least 1s (got 0s)":                                  {"stale_after": "0s"},
		"max_agents must be between 1 and 65536 (got 0)":                            {"max_agents": 0},
		`agent_name must be one of auto, keep, drop (got "x")`:                      {"agent_name": "x"},
		`proc_path must be an absolute path (got "proc")`:                           {"proc_path": "proc"},
		`engine_logs[0] must be a glob of absolute paths (got "/[")`:                {"engine_logs": []string{"/["}},
		`engine_logs[1] must be a glob of absolute paths (got "x")`:                 {"engine_logs": []string{"/a", "x"}},
		`sources::buffer::mode must be one of auto, consume, observe (got "steal")`: buffer("mode", "steal"),
		"sources::buffer::takeover_after must be at least 1s (got 0s)":              buffer("takeover_after", "0s"),
		`sources::buffer::directories[1] must be there once (got "/a/")`:            buffer("directories", []string{"/a", "/a/"}),
		`sources::buffer::directories[0] must be an absolute path (got "a")`:        buffer("directories", []string{"a"}),
		"'sources.buffer' has invalid keys: directory":                              buffer("directory", "/a"),
		"has invalid keys: polling":                                                 {"polling": "1s"},
	} {
		_, err := load(values)
		assert.ErrorContains(t, err, want)
	}
}
