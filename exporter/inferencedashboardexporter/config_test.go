package inferencedashboardexporter

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func loadConfig(t *testing.T, id string) (*Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := conf.Sub(id)
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	return cfg, sub.Unmarshal(cfg)
}

func TestConfigLoads(t *testing.T) {
	cfg, err := loadConfig(t, "inference_dashboard")
	require.NoError(t, err)
	require.NoError(t, cfg.Validate())
	assert.Equal(t, createDefaultConfig(), cfg)
	assert.Equal(t, "localhost:8899", cfg.ServerConfig.NetAddr.Endpoint)
	assert.Equal(t, extent{5 * time.Second, 720}, cfg.fine())
	assert.Equal(t, extent{2 * time.Minute, 720}, cfg.long())

	cfg, err = loadConfig(t, "inference_dashboard/all")
	require.NoError(t, err)
	require.NoError(t, cfg.Validate())
	assert.Equal(t, "0.0.0.0:9000", cfg.ServerConfig.NetAddr.Endpoint)
	assert.Equal(t, 30*time.Minute, cfg.History)
	assert.Equal(t, 10*time.Second, cfg.Resolution)
	assert.Equal(t, 500*time.Millisecond, cfg.UpdateInterval)
	assert.Equal(t, 50, cfg.MaxWorkers)
	assert.Equal(t, extent{}, cfg.long(), "none is kept")
	assert.Equal(t, []Link{{Name: "Grafana", URL: "https://grafana.example/d/llm?var-fleet={fleet}&from={from}&to={to}"}}, cfg.Links)
	assert.True(t, cfg.ServerConfig.Auth.HasValue())

	_, err = loadConfig(t, "inference_dashboard/unknown")
	assert.ErrorContains(t, err, "endpoit")
}

func link(name, url string) func(*Config) {
	return func(c *Config) { c.Links = []Link{{Name: name, URL: url}} }
}

func TestConfigErrorsNameKeyBoundAndValue(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"port 0":        {func(c *Config) { c.ServerConfig.NetAddr.Endpoint = "localhost:0" }, "endpoint: port must be 1..65535 (got 0)"},
		"port too high": {func(c *Config) { c.ServerConfig.NetAddr.Endpoint = "localhost:65536" }, "endpoint: port must be 1..65535 (got 65536)"},
		"port a word":   {func(c *Config) { c.ServerConfig.NetAddr.Endpoint = "localhost:http" }, "endpoint: port must be 1..65535 (got http)"},
		"no port":       {func(c *Config) { c.ServerConfig.NetAddr.Endpoint = "localhost" }, `endpoint: must be host:port (got "localhost")`},
		"resolution":    {func(c *Config) { c.Resolution = 2 * time.Minute }, "resolution: must be 1s..1m0s (got 2m0s)"},
		"history short": {func(c *Config) { c.History = time.Second }, "history: must be 10s..24h0m0s (got 1s)"},
		"history long":  {func(c *Config) { c.History = 48 * time.Hour }, "history: must be 10s..24h0m0s (got 48h0m0s)"},
		"update":        {func(c *Config) { c.UpdateInterval = 0 }, "update_interval: must be 100ms..5s (got 0s)"},
		"no workers":    {func(c *Config) { c.MaxWorkers = 0 }, "max_workers: must be 1..10000 (got 0)"},
		"too much in all": {func(c *Config) { c.MaxWorkers = 10000 },
			"(history / worker_resolution + long_history / worker_long_resolution) x max_workers: must be at most 4000000 (got 14400000)"},
		"worker resolution":      {func(c *Config) { c.WorkerResolution = time.Second }, "worker_resolution: must be 5s..30m0s (got 1s)"},
		"worker long resolution": {func(c *Config) { c.WorkerLongResolution = 48 * time.Hour }, "worker_long_resolution: must be 2m0s..12h0m0s (got 48h0m0s)"},
		"long history short":     {func(c *Config) { c.LongHistory = time.Minute }, "long_history: must be 4m0s..168h0m0s (got 1m0s)"},
		"long resolution":        {func(c *Config) { c.LongResolution = time.Second }, "long_resolution: must be 5s..1h0m0s (got 1s)"},
		"link without name":      {link("", "http://x/"), "links[0].name: must have 1..64 bytes (got 0)"},
		"link to a script":       {link("x", "javascript:alert(1)"), `links[0].url: must be an http or https address (got "javascript:alert(1)")`},
		"link without host":      {link("x", "http:///d"), `links[0].url: must be an http or https address (got "http:///d")`},
		"host from a label":      {link("x", "https://{host}/d"), `links[0].url: host must be written out (got "https://{host}/d")`},
		"scheme from a label":    {link("x", "{model}://a/d"), `links[0].url: must be an http or https address (got "{model}://a/d")`},
		"link with a password":   {link("x", "https://a:b@c/"), "links[0].url: must not hold credentials: every reader of the page would see them"},
		"unknown place": {link("x", "https://a/?w={pod}"),
			"links[0].url: {pod} stands for nothing; known are {fleet}, {worker}, {host}, {model}, {from}, {to}, {from_seconds}, {to_seconds}"},
		"two errors": {func(c *Config) { c.MaxWorkers, c.UpdateInterval = -1, time.Hour },
			"update_interval: must be 100ms..5s (got 1h0m0s)\nmax_workers: must be 1..10000 (got -1)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			tt.change(cfg)
			assert.EqualError(t, cfg.Validate(), tt.want)
		})
	}
	t.Run("a unix socket has no port", func(t *testing.T) {
		cfg := createDefaultConfig().(*Config)
		cfg.ServerConfig.NetAddr.Transport, cfg.ServerConfig.NetAddr.Endpoint = "unix", "/run/dashboard.sock"
		assert.NoError(t, cfg.Validate())
	})
}
