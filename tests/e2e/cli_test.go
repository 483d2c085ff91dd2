package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	yamlv3 "go.yaml.in/yaml/v3"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

func TestComponentsAreTheGoldenList(t *testing.T) {
	got, _, code := run(t, collector(t), "components")
	require.Zero(t, code)
	golden := filepath.Join("testdata", "components.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "UPDATE_GOLDEN=1 renews the list")
}

func TestVersion(t *testing.T) {
	got, _, code := run(t, collector(t), "--version")
	assert.Zero(t, code)
	assert.Regexp(t, `^otelcol-inference version \d+\.\d+\.\d+`, got)
}

// version is that of the distribution.
func version(t *testing.T) string {
	var manifest struct{ Dist struct{ Version string } }
	text, err := os.ReadFile(filepath.Join(rig.Root(t), "builder-config.yaml"))
	require.NoError(t, err)
	require.NoError(t, yamlv3.Unmarshal(text, &manifest))
	require.NotEmpty(t, manifest.Dist.Version)
	return manifest.Dist.Version
}

func TestPrintConfig(t *testing.T) {
	got, stderr, code := run(t, collector(t), "print-config", "--config", "distributions/otelcol-inference/demo.yaml")
	assert.Zero(t, code, stderr)
	assert.Contains(t, got, "phase_attribution:")
	assert.Contains(t, got, "127.0.0.1:18003", "defaults of environment variables are filled in")
}

// Every fault is refused at start, with the key, the bound and the value.
func TestBadConfigurationIsRefusedWithKeyBoundAndValue(t *testing.T) {
	const pipeline = `
service:
  pipelines:
    metrics:
      receivers: [llm_engine]
      processors: [phase_attribution]
      exporters: [inference_dashboard]
`
	for name, c := range map[string]struct {
		config string
		want   []string
	}{
		"unknown key": {
			"receivers: {llm_engine: {endpoints: [http://localhost:8000], colection_interval: 5s}}",
			[]string{"colection_interval"},
		},
		"unknown key of the page": {
			"receivers: {llm_engine: {endpoints: [http://localhost:8000]}}\nexporters: {inference_dashboard: {endpont: 'localhost:1'}}",
			[]string{"endpont"},
		},
		"unknown key of the processor": {
			"receivers: {llm_engine: {endpoints: [http://localhost:8000]}}\nprocessors: {phase_attribution: {windw: 5s}}",
			[]string{"windw"},
		},
		"wrong URL": {
			"receivers: {llm_engine: {endpoints: ['ftp://localhost:8000']}}",
			[]string{"endpoints", "ftp"},
		},
		"no endpoint": {
			"receivers: {llm_engine: }",
			[]string{"endpoint"},
		},
		"negative interval": {
			"receivers: {llm_engine: {endpoints: [http://localhost:8000], collection_interval: -5s}}",
			[]string{"collection_interval", "-5s"},
		},
		"engine at port 0": {
			"receivers: {llm_engine: {endpoints: [http://localhost:0]}}",
			[]string{"endpoints", "0"},
		},
		"page at port 0": {
			"receivers: {llm_engine: {endpoints: [http://localhost:8000]}}\nexporters: {inference_dashboard: {endpoint: 'localhost:0'}}",
			[]string{"endpoint", "0"},
		},
		"window too short": {
			"receivers: {llm_engine: {endpoints: [http://localhost:8000]}}\nprocessors: {phase_attribution: {window: 1ms}}",
			[]string{"window", "100ms", "1ms"},
		},
		"objective without sense": {
			"receivers: {llm_engine: {endpoints: [http://localhost:8000]}}\n" +
				"processors: {phase_attribution: {objectives: [{ttft: {quantile: 2, max: 1s}}]}}",
			[]string{"objectives[0].ttft.quantile", "between 0 and 1", "2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := c.config
			for key, line := range map[string]string{
				"processors:": "\nprocessors: {phase_attribution: }", "exporters:": "\nexporters: {inference_dashboard: }",
			} {
				if !regexp.MustCompile(`(?m)^` + key).MatchString(config) {
					config += line
				}
			}
			file := filepath.Join(t.TempDir(), "config.yaml")
			require.NoError(t, os.WriteFile(file, []byte(config+pipeline), 0o600))
			stdout, stderr, code := run(t, collector(t), "--config", file)
			assert.NotZero(t, code)
			for _, word := range c.want {
				assert.Contains(t, stdout+stderr, word)
			}
		})
	}
}

// The collector asks every part of a configuration that can judge itself, and the component as well.
func TestEachFaultIsSaidOnce(t *testing.T) {
	_, stderr, code := run(t, collector(t), "validate", "--config", `yaml:
receivers: {llm_engine: {endpoints: [http://localhost:8000]}}
processors:
  phase_attribution:
    objectives: [{ttft: {quantile: 2, max: 1s}}]
    prices: [{per_hour: -1, currency: USD}]
    facts: {gpus: [{names: []}]}
exporters: {inference_dashboard: }
service: {pipelines: {metrics: {receivers: [llm_engine], processors: [phase_attribution], exporters: [inference_dashboard]}}}
`)
	assert.NotZero(t, code)
	for _, key := range []string{"objectives[0].ttft.quantile", "prices[0].per_hour", "gpus[0].names"} {
		assert.Equal(t, 1, strings.Count(stderr, key), "%s in %s", key, stderr)
	}
}
