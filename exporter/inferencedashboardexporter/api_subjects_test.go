package inferencedashboardexporter

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Requests of one update share what is rendered; the next one brings what arrived since.
func TestSubjectsAreRenderedOncePerUpdate(t *testing.T) {
	d, _, now := filled(t, 1, 2)
	take := func(v float64) {
		md := pmetric.NewMetrics()
		addGauge(resourceOf(md, map[string]any{signal.AttrFleetName: "llama-70b"}), signal.DisaggregationScore, now, v, nil)
		require.NoError(t, d.consumeMetrics(context.Background(), md))
	}
	score := func(query string) float64 {
		var got struct{ Subjects []subjectShown }
		require.NoError(t, json.NewDecoder(get(t, d.api.handler(), "GET", "/api/v1/subjects"+query).Body).Decode(&got))
		require.NotEmpty(t, got.Subjects[0].Sections[sectionSplit], "%q: the fleet comes first", query)
		return got.Subjects[0].Sections[sectionSplit][signal.DisaggregationScore][0].Value
	}
	queries := []string{"", "?kind=fleet", "?fleet=llama-70b", "?fleet=llama-70b&kind=fleet"}
	take(0.5)
	d.update(context.Background())
	shot := d.board.latest.Load()
	for _, q := range queries {
		assert.InDelta(t, 0.5, score(q), 1e-9)
	}
	now = now.Add(1)
	take(0.75)
	for _, q := range queries {
		assert.InDelta(t, 0.5, score(q), 1e-9, "one update is one moment")
	}
	assert.Len(t, d.board.rendered.all, len(queries))
	views := d.board.rendered.views(shot, rendering{}, d.register)
	assert.Same(t, &views[0], &d.board.rendered.views(shot, rendering{}, d.register)[0])
	assert.Empty(t, decode(t, get(t, d.api.handler(), "GET", "/api/v1/subjects?kind=gpu"))["subjects"])
	d.update(context.Background())
	assert.Empty(t, d.board.rendered.all, "nothing is kept for nobody")
	for _, q := range queries {
		assert.InDelta(t, 0.75, score(q), 1e-9)
	}
}

type subjectShown struct {
	Sections map[string]map[string][]struct{ Value float64 }
}
