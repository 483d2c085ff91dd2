package inferencedashboardexporter

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Scrapes that fail are reports and bring no data: what was advised before is of when an engine answered last.
func TestAdviceOfAFleetThatIsDownSaysAsOfWhen(t *testing.T) {
	d, ws, now := filled(t, 3, 4)
	require.NoError(t, d.consumeLogs(context.Background(), told(eventRaised, "split-ratio", now, adviceBody("Move 2 workers"))))
	answered := now
	d.now = func() time.Time { return now }
	for i := range 8 {
		now = now.Add(5 * time.Second)
		for k, w := range ws {
			w.up = 0
			if k == 0 && i == 0 {
				w.up = 1 // the last to die
				answered = now
			}
			if k == 2 && i > 1 {
				continue // and of one nothing is heard any more
			}
			require.NoError(t, d.consumeMetrics(context.Background(), w.engineBatch(now)))
			require.NoError(t, d.consumeMetrics(context.Background(), w.derivedBatch(now)))
		}
		s := d.board.update(now)
		if i == 0 {
			assert.Zero(t, s.Advice[0].AsOf, "one of them answers")
			assert.Zero(t, s.Fleets[0].Workers.LastAnswered)
			continue
		}
		assert.Equal(t, answered.UnixMilli(), s.Advice[0].AsOf)
		assert.Equal(t, answered.UnixMilli(), s.Fleets[0].Workers.LastAnswered)
		assert.Zero(t, s.Fleets[0].Workers.LastHeard, "that they are down is known of now")
	}
	assert.Equal(t, countsView{Total: 3, Stale: 1, Down: 2, LastAnswered: answered.UnixMilli()}, *d.board.latest.Load().Fleets[0].Workers)
	words, err := io.ReadAll(get(t, d.api.handler(), "GET", "/api/v1/advice", "Accept", "text/plain").Body)
	require.NoError(t, err)
	assert.Contains(t, string(words), "Move 2 workers (as of "+answered.Local().Format("15:04:05 MST")+", no data since)\n")

	ws[1].up = 1
	now = now.Add(time.Second)
	require.NoError(t, d.consumeMetrics(context.Background(), ws[1].engineBatch(now)))
	assert.Zero(t, d.board.update(now).Advice[0].AsOf, "and back")
}

// An exporter that was started after the engines died does not know when they answered.
func TestAdviceOfAFleetThatNeverAnsweredHere(t *testing.T) {
	d, ws, now := filled(t, 1, 0)
	ws[0].up = 0
	require.NoError(t, d.consumeMetrics(context.Background(), ws[0].engineBatch(now)))
	attrs := map[string]any{signal.AttrAdviceID: "interference", signal.AttrAdviceSeverity: "warning"}
	require.NoError(t, d.consumeMetrics(context.Background(), gaugeOn(signal.Advice, now, attrs, false)))
	s := d.board.update(now)
	assert.Equal(t, now.UnixMilli(), s.Advice[0].AsOf)
	assert.Zero(t, s.Fleets[0].Workers.LastAnswered)
}
