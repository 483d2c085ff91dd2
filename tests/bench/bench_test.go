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

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

func TestFloorReadsEverySeries(t *testing.T) {
	p, err := readPage(recorded)
	require.NoError(t, err)
	f, err := serve(1, p)
	require.NoError(t, err)
	defer func() { assert.NoError(t, f.close()) }()
	var least floor
	defer least.client.CloseIdleConnections()
	var body bytes.Buffer
	require.NoError(t, least.scrape(t.Context(), "http://"+f.addresses[0]+"/metrics", &body, labels.NewSymbolTable()))
	assert.EqualValues(t, p.series(), least.series.Load())
	assert.Error(t, least.scrape(t.Context(), "http://"+f.addresses[0]+"/nothing", &body, labels.NewSymbolTable()))
}

func TestUsage(t *testing.T) {
	u, err := parseMemory("900 200 100 1 0 1 0", 4096)
	require.NoError(t, err)
	assert.Equal(t, usage{rss: 200 * 4096, own: 100 * 4096}, u)
	_, err = parseMemory("900 200", 4096)
	assert.Error(t, err)
	u, err = usageOf(os.Getpid())
	require.NoError(t, err)
	assert.Positive(t, u.own)
	assert.Less(t, u.own, u.rss)
	for began := u.cpu; u.cpu-began < time.Millisecond; { // goes on while this runs
		u, err = usageOf(os.Getpid())
		require.NoError(t, err)
	}
}

func TestSumOf(t *testing.T) {
	sum, err := sumOf("# TYPE points_total counter\npoints_total{a=\"b c\"} 3\npoints_total{a=\"d\"} 4.5\npoints_total_created 9\nother 1\n", "points")
	require.NoError(t, err)
	assert.Equal(t, 7.5, sum)
	_, err = sumOf("points x\n", "points")
	assert.Error(t, err)
}

func TestTable(t *testing.T) {
	run := func(cpu time.Duration, mb int64) measured {
		return measured{cpu: cpu, rss: mb * 1e6, own: mb * 5e5, done: 1000, lost: 250}
	}
	results := map[string][]measured{
		idle:                  {run(0, 100)},
		"nixl":                {run(time.Millisecond, 104), run(3*time.Millisecond, 106)},
		"telemetry_reader.py": {run(2*time.Second, 16)},
	}
	subjects := []subject{{name: idle}, {name: "nixl"}, {name: "telemetry_reader.py", other: true}}
	var out strings.Builder
	reportRings(&out, options{rate: 5000}, subjects, results)
	assert.Contains(t, out.String(), `
| `+"`idle`"+` | | | 100 (100 to 100) | 50 (50 to 50) |
| `+"`nixl`"+` | 2 (1 to 3) | 20 (20 to 20) | 105 (104 to 106) | 52.5 (52 to 53) |
| `+"`telemetry_reader.py`"+` | 2000 (2000 to 2000) | 20 (20 to 20) | 16 (16 to 16) | 8 (8 to 8) |
`)
	results = map[string][]measured{
		empty:    {{cpu: time.Millisecond, done: 1000, answers: []time.Duration{time.Millisecond, time.Second}}},
		withOurs: {{cpu: 3 * time.Millisecond, done: 1000, lost: 7}},
	}
	out.Reset()
	reportPipelines(&out, options{}, "points", 9, []subject{{name: empty}, {name: withOurs}}, results)
	assert.Contains(t, out.String(), "| `empty pipeline` | 1000 (1000 to 1000) |  | 1 (1 to 1) | 1 (1 to 1) | 0 | 0 (0 to 0) | 0 (0 to 0) |\n")
	assert.Contains(t, out.String(), "disaggregation` | 3000 (3000 to 3000) | 2000 (2000 to 2000) | 0 (0 to 0) | 0 (0 to 0) | 7 |")
}

func TestReport(t *testing.T) {
	run := func(cpu time.Duration, mb, done int64) measured {
		return measured{cpu: cpu, rss: mb * 1e6, own: mb * 5e5, done: done, due: 1000, points: 50 * float64(done)}
	}
	results := map[string][]measured{
		"idle":       {run(0, 99, 0), run(0, 100, 0), run(0, 105, 0)},
		"llm_engine": {run(300*time.Millisecond, 140, 1000), run(200*time.Millisecond, 130, 1000), run(900*time.Millisecond, 150, 1000)},
		"prometheus": {run(2*time.Second, 180, 1000), run(time.Second, 190, 1000), run(2*time.Second, 170, 500)},
		"floor":      {run(100*time.Millisecond, 18, 1000), run(150*time.Millisecond, 19, 1000), run(200*time.Millisecond, 17, 1000)},
	}
	subjects := []subject{{name: "idle"}, {name: "llm_engine"}, {name: "prometheus"}}
	var out strings.Builder
	all := append(subjects, subject{name: "floor", other: true})
	assert.True(t, report(&out, options{targets: 2, interval: time.Second}, 9, all, results))
	assert.Contains(t, out.String(), "| `llm_engine` | 0.3 (0.2 to 0.9) | 140 (130 to 150) | 40 (30 to 50) | 70 (65 to 75) | 50 | all |\n")
	assert.Contains(t, out.String(), "| 50 | **missed: 50 % of what was due** |\n")
	assert.Contains(t, out.String(), "| `llm_engine` to `prometheus` | 0.15 (at most 0.25) | | 0.50 (at most 0.50) | 0.50 over idle | | |\n")
	assert.Contains(t, out.String(), "| `llm_engine` to `floor` | 2.00 (at most 2.00) | | | | | |\n")
	results["floor"][1].cpu = 140 * time.Millisecond
	assert.False(t, report(&out, options{}, 9, all, results), "more than twice the floor")
	delete(results, "floor")
	assert.True(t, report(&out, options{}, 9, subjects, results))
	results["llm_engine"][0].cpu = 600 * time.Millisecond
	assert.False(t, report(&out, options{}, 9, subjects, results), "0.6 of 2 ms is more than a quarter")
}
