package replay

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
	scenarios "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
)

// A replay says the same each time: every derived point and every advice, in the last bit.
func TestReplayIsDeterministic(t *testing.T) {
	recording, err := os.ReadFile(record(t))
	require.NoError(t, err)
	first := replay(t, bytes.NewReader(recording))
	second := replay(t, bytes.NewReader(recording))
	require.Len(t, second.lines, len(first.lines))
	for i := range first.lines {
		require.Equal(t, first.lines[i], second.lines[i], "line %d", i)
	}
	all := strings.Join(first.lines, "\n")
	for _, name := range []string{"llm.phase.worker.time", "llm.kv_cache.tokens", "llm.topology.goodput", "llm.verdict"} {
		assert.Positive(t, strings.Count(all, `"name":"`+name+`"`), name)
	}
	assert.Positive(t, first.records, "the adviser spoke")

	// Replaying what a whole pipeline wrote is the same as what its receivers wrote.
	withDerived := append(bytes.Clone(recording), []byte(strings.Join(onlyMetrics(first.lines), "\n"))...)
	third := replay(t, bytes.NewReader(withDerived))
	assert.Equal(t, first.lines, third.lines)
}

func TestEmptyRecordingSaysNothing(t *testing.T) {
	assert.Empty(t, replay(t, strings.NewReader("\n\n")).lines)
}

// Batches of whatever kind have their place in time, and one without a time does not wind the clock back by decades.
func TestBatchesAreInOrderOfTime(t *testing.T) {
	const line = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m",%s}]}]}]}` + "\n"
	recording := fmt.Sprintf(line, `"summary":{"dataPoints":[{"timeUnixNano":"1760000002000000000"}]}`) +
		fmt.Sprintf(line, `"exponentialHistogram":{"dataPoints":[{"timeUnixNano":"1760000001000000000"}]}`) +
		fmt.Sprintf(line, `"gauge":{"dataPoints":[{"asInt":"1"}]}`) +
		fmt.Sprintf(line, `"gauge":{"dataPoints":[{"timeUnixNano":"1760000000000000000","asInt":"1"}]}`)
	var times []int64
	for _, md := range read(t, strings.NewReader(recording)) {
		times = append(times, newest(md).Unix())
	}
	assert.Equal(t, []int64{1760000000, 1760000001, 1760000002}, times)
}

func onlyMetrics(lines []string) (metrics []string) {
	for _, l := range lines {
		if strings.Contains(l, `"resourceMetrics"`) {
			metrics = append(metrics, l)
		}
	}
	return metrics
}

// record writes five minutes of a simulated fleet, as the receiver reads its pages and the file exporter writes them.
func record(t *testing.T) string {
	t.Helper()
	s, err := scenarios.Load("kv-thrash", scenarios.Options{})
	require.NoError(t, err)
	fleet, err := fleetsim.New(s.Fleet)
	require.NoError(t, err)
	defer fleet.Close()
	require.NoError(t, s.Arm(fleet, func(err error) { t.Error(err) }))
	dialects, err := dialect.Load()
	require.NoError(t, err)
	books := make([]*exposition.Book, fleet.Workers())
	for w := range books {
		books[w] = exposition.NewBook(exposition.Settings{
			Dialects: dialects, Scope: "replay", Identity: exposition.Identity{Address: fmt.Sprintf("worker-%d", w), Port: 8000}, MaxSeries: 20_000,
		})
	}
	var out, page bytes.Buffer
	for now := 5 * time.Second; now <= 5*time.Minute; now += 5 * time.Second {
		require.NoError(t, fleet.Advance(now))
		for w, book := range books {
			page.Reset()
			require.NoError(t, fleet.WriteMetrics(w, &page))
			page.Grow(1) // the decoder writes behind the end
			md, _, err := book.Scrape(page.Bytes(), false, s.Fleet.StartTime.Add(now), engine.VLLMVersion)
			require.NoError(t, err)
			line, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
			require.NoError(t, err)
			out.Write(append(line, '\n'))
		}
	}
	file := filepath.Join(t.TempDir(), "recording.jsonl")
	require.NoError(t, os.WriteFile(file, out.Bytes(), 0o600))
	return file
}
