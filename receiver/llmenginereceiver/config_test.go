package llmenginereceiver

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func load(t *testing.T, values map[string]any) (*Config, error) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	if err := confmap.NewFromStringMap(values).Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestExampleConfigs(t *testing.T) {
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	for name := range conf.ToStringMap() {
		t.Run(name, func(t *testing.T) {
			sub, err := conf.Sub(name)
			require.NoError(t, err)
			cfg := createDefaultConfig().(*Config)
			require.NoError(t, sub.Unmarshal(cfg))
			require.NoError(t, confmap.Validate(cfg))
			assert.NotEmpty(t, cfg.all())
		})
	}
}

func TestDefaults(t *testing.T) {
	cfg, err := load(t, map[string]any{"endpoint": "localhost:8000"})
	require.NoError(t, err)
	assert.Equal(t, 5*time.Second, cfg.Scrape.CollectionInterval)
	assert.Equal(t, time.Duration(0), cfg.Scrape.InitialDelay)
	assert.Equal(t, 4*time.Second, cfg.timeout())
	assert.Equal(t, int64(16<<20), cfg.Scrape.MaxBodyBytes)
	assert.Equal(t, 20_000, cfg.Scrape.MaxSeries)
	assert.Equal(t, "default", cfg.Scrape.Preset)
	assert.False(t, cfg.Scrape.Raw)
	assert.Equal(t, []EndpointConfig{{Endpoint: "localhost:8000"}}, cfg.all())

	cfg, err = load(t, map[string]any{"endpoint": "localhost:8000", "collection_interval": "1s"})
	require.NoError(t, err)
	assert.Equal(t, time.Second, cfg.timeout())
	cfg, err = load(t, map[string]any{"endpoint": "localhost:8000", "timeout": "9s", "collection_interval": "10s"})
	require.NoError(t, err)
	assert.Equal(t, 9*time.Second, cfg.timeout())
}

func TestEndpointForms(t *testing.T) {
	cfg, err := load(t, map[string]any{
		"endpoint":     "a:1",
		"endpoints":    []any{"http://b:2/x", map[string]any{"endpoint": "c:3", "role": "prefill", "fleet": "blue", "service_name": "chat"}},
		"role":         "decode",
		"fleet":        "green",
		"headers":      map[string]any{"X-Key": "k"},
		"service_name": "all",
	})
	require.NoError(t, err)
	assert.Equal(t, []EndpointConfig{
		{Endpoint: "a:1", Role: "decode", Fleet: "green", ServiceName: "all"},
		{Endpoint: "http://b:2/x", Role: "decode", Fleet: "green", ServiceName: "all"},
		{Endpoint: "c:3", Role: "prefill", Fleet: "blue", ServiceName: "chat"},
	}, cfg.all())
	assert.Equal(t, "prefill", k8sRole("prefill"))
	assert.Empty(t, k8sRole("both")+k8sRole("<nil>")+k8sRole(""), "what is no role of ours tells none")
	assert.Equal(t, configopaque.MapList{{Name: "X-Key", Value: "k"}}, cfg.ClientConfig.Headers)
}

func TestInvalidConfigs(t *testing.T) {
	const endpoint = "localhost:8000"
	for name, tt := range map[string]struct {
		values map[string]any
		want   string
	}{
		"no endpoint":       {map[string]any{}, "endpoint or endpoints must name at least one engine (got none)"},
		"empty list":        {map[string]any{"endpoints": []any{}}, "endpoint or endpoints must name at least one engine (got none)"},
		"negative interval": {map[string]any{"endpoint": endpoint, "collection_interval": "-5s"}, "collection_interval must be at least 100ms (got -5s)"},
		"no interval":       {map[string]any{"endpoint": endpoint, "collection_interval": "0s"}, "collection_interval must be at least 100ms (got 0s)"},
		"negative delay":    {map[string]any{"endpoint": endpoint, "initial_delay": "-1s"}, "initial_delay must be at least 0s (got -1s)"},
		"timeout over the interval": {
			map[string]any{"endpoint": endpoint, "timeout": "1h", "collection_interval": "1s"},
			"timeout must be at most collection_interval, which is 1s (got 1h0m0s)",
		},
		"negative timeout":          {map[string]any{"endpoint": endpoint, "timeout": "-1s"}, "timeout must be at least 0s (got -1s)"},
		"small body":                {map[string]any{"endpoint": endpoint, "max_body_bytes": 10}, "max_body_bytes must be between 1024 and 1073741824 (got 10)"},
		"few series":                {map[string]any{"endpoint": endpoint, "max_series": 0}, "max_series must be at least 100 (got 0)"},
		"port 0":                    {map[string]any{"endpoint": "localhost:0"}, `endpoint must have a port from 1 to 65535 (got "0")`},
		"large port":                {map[string]any{"endpoint": "localhost:70000"}, `endpoint must have a port from 1 to 65535 (got "70000")`},
		"no port":                   {map[string]any{"endpoints": []any{"localhost"}}, `endpoints[0] must have a port when it is no URL (got "localhost")`},
		"no host":                   {map[string]any{"endpoints": []any{":8000"}}, `endpoints[0] must be host:port or a URL (got ":8000")`},
		"empty endpoint":            {map[string]any{"endpoints": []any{""}}, `endpoints[0] must be host:port or a URL (got "")`},
		"port that leads elsewhere": {map[string]any{"endpoint": "http://10.0.0.7:8000@elsewhere.example:80/metrics"}, `endpoint must not have an address as user name (got "10.0.0.7")`},
		"scheme":                    {map[string]any{"endpoint": "ftp://h:1"}, `endpoint must have the scheme http or https (got "ftp")`},
		"no URL":                    {map[string]any{"endpoint": "http://user:secret@a b:1/?token=secret"}, `endpoint must be host:port or a URL (got "http://a b:1/")`},
		"proxy":                     {map[string]any{"endpoint": endpoint, "proxy_url": "http://user:secret@a b:1"}, `proxy_url must be a URL (got "http://a b:1")`},
		"proxy alone":               {map[string]any{"endpoint": endpoint, "proxy_url": "user:secret@proxy:3128"}, `proxy_url must be a URL (got "proxy:3128")`},
		"nothing to do": {
			map[string]any{"endpoint": endpoint, "scrape": map[string]any{"enabled": false}},
			"scrape: enabled must be true where neither kv_events nor forward_passes are followed (got false)",
		},
		"twice":  {map[string]any{"endpoint": endpoint, "endpoints": []any{"http://localhost:8000/metrics"}}, "endpoints[0] must be there once (got localhost:8000, as in endpoint)"},
		"preset": {map[string]any{"endpoint": endpoint, "preset": "huge"}, `preset must be one of minimal, default, full (got "huge")`},
		"connected": {
			map[string]any{"endpoint": endpoint, "connected": []any{"telepathy"}},
			`connected[0] must be one of kv_events, forward_passes, kv_residency, effort, nixl, traces, requests, iterations, processes (got "telepathy")`,
		},
		"role":        {map[string]any{"endpoint": endpoint, "role": "boss"}, `role must be one of prefill, decode, aggregated, encode, router (got "boss")`},
		"role of one": {map[string]any{"endpoints": []any{map[string]any{"endpoint": endpoint, "role": "x"}}}, `endpoints[0]: role must be one of prefill, decode, aggregated, encode, router (got "x")`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, tt.values)
			assert.EqualError(t, err, tt.want)
		})
	}
}

func TestUnknownKeys(t *testing.T) {
	_, err := load(t, map[string]any{"endpoint": "localhost:8000", "colection_interval": "5s"})
	assert.ErrorContains(t, err, "'llmenginereceiver.strictConfig' has invalid keys: colection_interval")
	_, err = load(t, map[string]any{"endpoints": []any{map[string]any{"endpoint": "localhost:8000", "rol": "x"}}})
	assert.ErrorContains(t, err, "rol")
	_, err = load(t, map[string]any{"endpoint": "localhost:8000", "tls": map[string]any{"insecur": true}})
	assert.ErrorContains(t, err, "insecur")
	_, err = load(t, map[string]any{"endpoint": "localhost:8000", "keepalive": map[string]any{"enabled": false}})
	assert.NoError(t, err)
}

func TestParseEndpoint(t *testing.T) {
	for endpoint, want := range map[string]string{
		"host:8000":                     "http://host:8000/metrics",
		"http://host:8000":              "http://host:8000/metrics",
		"http://host:8000/":             "http://host:8000/metrics",
		"https://host":                  "https://host:443/metrics",
		"http://host/a/metrics?x=1#top": "http://host:80/a/metrics?x=1",
		"[::1]:8000":                    "http://[::1]:8000/metrics",
		"http://u:p@host:8000":          "http://u:p@host:8000/metrics",
	} {
		u, err := parseEndpoint(endpoint)
		require.NoError(t, err, endpoint)
		assert.Equal(t, want, u.String())
	}
	u, err := parseEndpoint("http://host:8000/engines/a/metrics?x=1")
	require.NoError(t, err)
	assert.Equal(t, "http://host:8000/engines/a/version", aboutURL(u, "/version").String())
}

func TestIsLocal(t *testing.T) {
	r := &engineReceiver{hostname: "node-7", addresses: []netip.Addr{netip.MustParseAddr("10.0.0.9")}}
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "::1": true, "Node-7": true, "10.0.0.7": false, "node-8": false, "0.0.0.0": false,
		"10.0.0.9": true, "::ffff:10.0.0.9": true,
	} {
		assert.Equal(t, want, r.isLocal(host), host)
	}
	r.hostname = ""
	assert.False(t, r.isLocal("x"))
	assert.Contains(t, ownAddresses(), netip.MustParseAddr("127.0.0.1"))
}
