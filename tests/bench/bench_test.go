package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const recorded = "../engines/recordings/vllm-0.32.0-cpu/metrics-006.prom"

func TestPageGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page")
	require.NoError(t, os.WriteFile(path, []byte(`# HELP a An a 1
# TYPE a counter
a_total{x="y z"} 3.0
a_created 5
# TYPE b gauge
b 7.5
# TYPE c histogram
c_bucket{le="1.0"} 2.0
c_sum 1.5e-05
`), 0o600))
	p, err := readPage(path)
	require.NoError(t, err)
	assert.Equal(t, 5, p.series())
	var out bytes.Buffer
	p.write(&out, 2)
	assert.Equal(t, `# HELP a An a 1
# TYPE a counter
a_total{x="y z"} 9.0
a_created 15.0
# TYPE b gauge
b 7.5
# TYPE c histogram
c_bucket{le="1.0"} 6.0
c_sum 0.000045
`, out.String(), "a counter and its creation share a TYPE here; the recorded page declares the latter a gauge")
}

// TestRecordedPage: nothing but the values of counters and histograms differs from what the engine wrote.
func TestRecordedPage(t *testing.T) {
	p, err := readPage(recorded)
	require.NoError(t, err)
	raw, err := os.ReadFile(recorded)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, p.series(), 400)
	var out bytes.Buffer
	p.write(&out, 4)
	now, was := strings.Split(out.String(), "\n"), strings.Split(string(raw), "\n")
	require.Len(t, now, len(was))
	changed := 0
	for i := range now {
		if now[i] != was[i] {
			changed++
			assert.NotContains(t, was[i], "_created", "a start does not move")
			assert.Equal(t, was[i][:strings.LastIndexByte(was[i], ' ')], now[i][:strings.LastIndexByte(now[i], ' ')])
		}
	}
	assert.Greater(t, changed, 100)
}

func TestEveryTargetServes(t *testing.T) {
	p, err := readPage(recorded)
	require.NoError(t, err)
	f, err := serve(3, p)
	require.NoError(t, err)
	defer func() { assert.NoError(t, f.close()) }()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	read := func(path string) string {
		response, err := client.Get("http://" + path)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return string(body)
	}
	first := read(f.addresses[0] + "/metrics")
	assert.NotEqual(t, first, read(f.addresses[0]+"/metrics"), "the values change")
	assert.Equal(t, first, read(f.addresses[2]+"/metrics"), "each target has its own")
	read(f.addresses[1] + "/version")
	assert.Equal(t, []int64{3, 1}, []int64{f.pages.Load(), f.others.Load()})
}

func TestConfigurationsAreYAML(t *testing.T) {
	for _, s := range subjects() {
		var parsed struct {
			Receivers map[string]any
			Service   struct {
				Pipelines map[string]struct{ Receivers, Exporters []string }
			}
		}
		text := configuration(s.receivers([]string{"127.0.0.1:1", "127.0.0.1:2"}, time.Second), "127.0.0.1:3", "127.0.0.1:4")
		require.NoError(t, yaml.Unmarshal([]byte(text), &parsed), text)
		metrics := parsed.Service.Pipelines["metrics"]
		require.Len(t, metrics.Receivers, 1)
		assert.Contains(t, parsed.Receivers, metrics.Receivers[0])
		assert.Equal(t, []string{"nop"}, metrics.Exporters)
		if s.name != "idle" {
			assert.Equal(t, s.name, metrics.Receivers[0])
			assert.Contains(t, text, `["127.0.0.1:1", "127.0.0.1:2"]`)
		}
	}
}

func TestUsage(t *testing.T) {
	u, err := parseUsage("7 (a) name) S 1 7 7 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 8 0 5 9 9", "900 200 100 1 0 1 0", 4096)
	require.NoError(t, err)
	assert.Equal(t, usage{cpu: 3 * time.Second, rss: 200 * 4096, own: 100 * 4096}, u)
	_, err = parseUsage("7 (a) S 1", "900 200", 4096)
	assert.Error(t, err)
	u, err = usageOf(os.Getpid())
	require.NoError(t, err)
	assert.Positive(t, u.own)
	assert.Less(t, u.own, u.rss)
}

func TestSumOf(t *testing.T) {
	sum, err := sumOf("# TYPE points_total counter\npoints_total{a=\"b c\"} 3\npoints_total{a=\"d\"} 4.5\npoints_total_created 9\nother 1\n", "points")
	require.NoError(t, err)
	assert.Equal(t, 7.5, sum)
	_, err = sumOf("points x\n", "points")
	assert.Error(t, err)
}

func TestReport(t *testing.T) {
	run := func(cpu time.Duration, mb int64) measured {
		return measured{cpu: cpu, rss: mb * 1e6, own: mb * 5e5, scrapes: 1000, points: 50_000}
	}
	results := map[string][]measured{
		"idle":       {run(0, 99), run(0, 100), run(0, 105)},
		"llm_engine": {run(300*time.Millisecond, 140), run(200*time.Millisecond, 130), run(900*time.Millisecond, 150)},
		"prometheus": {run(2*time.Second, 180), run(time.Second, 190), run(4*time.Second, 170)},
	}
	var out strings.Builder
	assert.True(t, report(&out, options{targets: 2, interval: time.Second}, 9, results))
	assert.Contains(t, out.String(), "| `llm_engine` | 0.3 (0.2 to 0.9) | 140 (130 to 150) | 40 (30 to 50) | 70 (65 to 75) | 50 |\n")
	assert.Contains(t, out.String(), "| ours to theirs | 0.15 (at most 0.25) | | 0.50 (at most 0.50) | 0.50 over idle | |\n")
	results["llm_engine"][0].cpu = 600 * time.Millisecond
	assert.False(t, report(&out, options{}, 9, results), "0.6 of 2 ms is more than a quarter")
}
