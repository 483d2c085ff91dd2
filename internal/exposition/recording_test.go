package exposition

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// recordings holds pages of a real vLLM under a load whose totals its client wrote down.
const recordings = "../../tests/engines/recordings"

type recording struct {
	Command   []string `json:"command"`
	Snapshots []struct {
		File string  `json:"file"`
		Time float64 `json:"unix_time"`
	} `json:"snapshots"`
	Client struct {
		Completed     totals         `json:"completed"`
		Aborted       totals         `json:"aborted"`
		FinishReasons map[string]int `json:"finish_reasons"`
	} `json:"client"`
}

type totals struct {
	Requests   float64 `json:"requests"`
	Prompt     float64 `json:"prompt_tokens"`
	Completion float64 `json:"completion_tokens"`
}

func readRecording(t testing.TB, dir string) recording {
	t.Helper()
	var r recording
	meta, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(meta, &r))
	require.NotEmpty(t, r.Snapshots)
	return r
}

// ranks returns how many engine cores the recorded server ran.
func (r recording) ranks(t testing.TB) int {
	t.Helper()
	for i, arg := range r.Command {
		if arg == "--data-parallel-size" {
			n, err := strconv.Atoi(r.Command[i+1])
			require.NoError(t, err)
			return n
		}
	}
	return 1
}

func TestRecordings(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(recordings, "vllm-*"))
	require.NoError(t, err)
	require.NotEmpty(t, dirs, "the recordings belong to the repository")
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { replay(t, dir, readRecording(t, dir)) })
	}
}

// replay scrapes all pages of a recording: nothing unknown, nothing dropped, no reset, sums that only grow, and in the end the
// client's own totals.
func replay(t *testing.T, dir string, r recording) {
	b := newBook(t)
	var before map[sample]float64
	var last pmetric.Metrics
	for _, s := range r.Snapshots {
		md, report, err := b.Scrape(readPage(t, filepath.Join(dir, s.File)), false, time.UnixMilli(int64(s.Time*1000)), "")
		require.NoError(t, err)
		report.SeriesRemembered, report.Points = 0, 0
		assert.Equal(t, Report{}, report, s.File)
		assert.Equal(t, r.ranks(t), strings.Count(text(md), "llm.engine.variant=v1} 1"), "workers")
		now := samples(md)
		for key, v := range before {
			if cumulative(key) {
				assert.GreaterOrEqual(t, now[key], v, "%s %+v", s.File, key)
			}
		}
		before, last = now, md
	}
	checkTotals(t, r, before)
	checkStarts(t, last)
}

func cumulative(s sample) bool {
	m := signal.Index(signal.EngineMetrics())[s.metric]
	return m.Instrument == signal.Sum || m.Instrument == signal.Histogram
}

// checkTotals compares with what the client counted. A request that the client aborted left a few tokens that it did not see.
func checkTotals(t *testing.T, r recording, got map[sample]float64) {
	total := func(metric, attributes, what string) (v float64) {
		for key, n := range got {
			if key.metric == metric && key.what == what && strings.Contains(key.attributes, attributes) {
				v += n
			}
		}
		return v
	}
	c := r.Client
	prompt := total(signal.TokensPrompt, "", "value")
	assert.Equal(t, c.Completed.Prompt+c.Aborted.Prompt, prompt, "prompt tokens")
	hits := total(signal.TokensPrompt, signal.TokenSourceLocalHit, "value")
	assert.Equal(t, hits, total(signal.TokensCached, "", "value"), "cached tokens")
	generated := total(signal.TokensGenerated, "", "value")
	assert.GreaterOrEqual(t, generated, c.Completed.Completion+c.Aborted.Completion)
	assert.LessOrEqual(t, generated, c.Completed.Completion+c.Aborted.Completion+100)
	for reason, n := range c.FinishReasons {
		assert.Equal(t, float64(n), total(signal.RequestCount, "="+reason+"}", "value"), reason)
	}
	assert.Equal(t, c.Completed.Requests, total(signal.RequestTime, "", "count"))
	assert.Equal(t, c.Completed.Prompt, total(signal.RequestTokens, signal.TokenTypeInput, "sum"))
	assert.Equal(t, c.Completed.Completion, total(signal.RequestTokens, signal.TokenTypeOutput, "sum"))
	for _, phase := range []string{signal.PhasePrefill, signal.PhaseDecode, signal.PhaseInference} {
		assert.Equal(t, c.Completed.Requests, total(signal.PhaseTime, phase, "count"), phase)
	}
	assert.InDelta(t, total(signal.PhaseTime, signal.PhaseInference, "sum"),
		total(signal.PhaseTime, signal.PhasePrefill, "sum")+total(signal.PhaseTime, signal.PhaseDecode, "sum"), 0.01)
	assert.Zero(t, total(signal.Running, "", "value")+total(signal.Waiting, "", "value"), "idle at the end")
}

// checkStarts holds that every cumulative point starts before it ends.
func checkStarts(t *testing.T, md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			switch m.Type() {
			case pmetric.MetricTypeSum:
				for _, p := range m.Sum().DataPoints().All() {
					assert.Positive(t, p.StartTimestamp(), m.Name())
					assert.LessOrEqual(t, p.StartTimestamp(), p.Timestamp(), m.Name())
				}
			case pmetric.MetricTypeHistogram:
				for _, p := range m.Histogram().DataPoints().All() {
					assert.Positive(t, p.StartTimestamp(), m.Name())
					assert.Less(t, p.StartTimestamp(), p.Timestamp(), m.Name())
				}
			}
		}
	}
}
