package nvmlreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func loadConfig(t *testing.T, settings map[string]any) (*Config, error) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	if err := confmap.NewFromStringMap(settings).Unmarshal(cfg); err != nil {
		return cfg, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestConfig(t *testing.T) {
	cfg, err := loadConfig(t, map[string]any{})
	require.NoError(t, err)
	assert.True(t, cfg.enabled(signal.GPUActivityTime))
	assert.False(t, cfg.enabled(signal.GPUPipeActivityTime))
	assert.False(t, cfg.enabled(signal.GPUProcessMemory))

	cfg, err = loadConfig(t, map[string]any{
		"collection_interval": "1s", "sampling_interval": "20ms", "preset": "minimal", "require_gpu": true, "library": "/opt/libnvidia-ml.so.1",
		"metrics":       map[string]any{"hw.power": map[string]any{"enabled": false}, "nvidia.gpu.process.memory.usage": map[string]any{"enabled": true}},
		"pod_resources": map[string]any{"socket": ""},
	})
	require.NoError(t, err)
	assert.Equal(t, 20*time.Millisecond, cfg.SamplingInterval)
	assert.False(t, cfg.enabled(signal.HWPower))
	assert.True(t, cfg.enabled(signal.HWEnergy))
	assert.True(t, cfg.enabled(signal.GPUProcessMemory))
	assert.False(t, cfg.enabled(signal.GPUActivityTime))
}

func TestConfigErrorsNameKeyBoundAndValue(t *testing.T) {
	for want, settings := range map[string]map[string]any{
		"collection_interval must be at least 100ms (got 99ms)":                     {"collection_interval": "99ms"},
		"initial_delay must be at least 0s (got -1s)":                               {"initial_delay": "-1s"},
		"sampling_interval must be between 20ms and 10s (got 19ms)":                 {"sampling_interval": "19ms"},
		"sampling_interval must be between 20ms and 10s (got 11s)":                  {"sampling_interval": "11s"},
		"discovery_interval must be at least 1s (got 10ms)":                         {"discovery_interval": "10ms"},
		"call_timeout must be between 100ms and 5m0s (got 6m0s)":                    {"call_timeout": "6m"},
		`preset must be one of minimal, default, full (got "all")`:                  {"preset": "all"},
		`metrics must name metrics of this receiver (got "hw.gpu.power")`:           {"metrics": map[string]any{"hw.gpu.power": map[string]any{"enabled": true}}},
		`proc_path must be a folder (got "")`:                                       {"proc_path": ""},
		`pod_resources::socket must be an absolute path (got "kubelet.sock")`:       {"pod_resources": map[string]any{"socket": "kubelet.sock"}},
		"metrics::hw.power must say enabled: true or enabled: false (got neither)":  {"metrics": map[string]any{"hw.power": map[string]any{}}},
		"metrics::hw.energy must say enabled: true or enabled: false (got neither)": {"metrics": map[string]any{"hw.energy": nil}},
		"invalid keys: sampling":                                                    {"sampling": "1s"},
		"'metrics[hw.power]' has invalid keys: enable":                              {"metrics": map[string]any{"hw.power": map[string]any{"enable": true}}},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := loadConfig(t, settings)
			assert.ErrorContains(t, err, want)
		})
	}
}
