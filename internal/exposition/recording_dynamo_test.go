package exposition

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestRecordingOfDynamo replays the pages of a real Dynamo front end and of the mocker behind it. Both serve the same requests, and only
// the mocker is an engine.
func TestRecordingOfDynamo(t *testing.T) {
	dir := filepath.Join(recordings, "dynamo-1.6.1-mocker")
	r := readRecording(t, dir)
	last := func(name, page string, at time.Duration, b *Book) (map[sample]float64, map[string]any) {
		md, report, err := b.Scrape(readPage(t, filepath.Join(dir, page)), false, start().Add(at), "")
		require.NoError(t, err)
		report.SeriesRemembered, report.Points = 0, 0
		assert.Equal(t, Report{}, report, page)
		assert.Equal(t, 1, md.ResourceMetrics().Len(), name)
		return samples(md), md.ResourceMetrics().At(0).Resource().Attributes().AsRaw()
	}
	for name, is := range map[string]map[string]string{
		"frontend": {signal.AttrObserver: signal.ObserverFrontend, signal.AttrRole: signal.RoleRouter},
		"worker":   {signal.AttrEngineName: "vllm"}, // whose families the mocker shows
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			var got map[sample]float64
			var resource map[string]any
			for i := range r.Snapshots {
				got, resource = last(name, fmt.Sprintf("%s-%03d.prom", name, i), time.Duration(i)*time.Minute, b)
			}
			for _, key := range []string{signal.AttrObserver, signal.AttrEngineName, signal.AttrRole} {
				value, _ := resource[key].(string)
				assert.Equal(t, is[key], value, key)
			}
			key := sample{rank: "0", model: "tiny-llama", metric: signal.RequestCount, attributes: "{}", what: "value"}
			assert.Equal(t, r.Client.Completed.Requests, got[key], "%v", got)
			key.metric = signal.Running
			assert.Contains(t, got, key)
			assert.Zero(t, got[key])
			key.metric, key.what = signal.RequestTime, "count"
			assert.Equal(t, r.Client.Completed.Requests, got[key])
		})
	}
}
