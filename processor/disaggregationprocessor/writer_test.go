package disaggregationprocessor

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/wall/walltest"
	"github.com/otelcol-inference/otelcol-inference/processor/disaggregationprocessor/internal/metadata"
)

// Two gateways that both get a fleet's data, or a half of it each, are told apart by who writes its series.
func TestEveryWriterOfAFleetIsNamed(t *testing.T) {
	batches := scrapes(t, "pd-balanced", "chat", 20*time.Second, 1)
	writers := map[string]bool{}
	for _, gateway := range []string{"gateway-1", "gateway-2"} {
		sink := new(consumertest.MetricsSink)
		set := processortest.NewNopSettings(metadata.Type)
		set.Resource.Attributes().PutStr(signal.AttrServiceInstanceID, gateway)
		c := walltest.NewClock(batches[0].at)
		p, err := newProcessor(set, testConfig(), sink, &derive.Registry{}, c)
		require.NoError(t, err)
		require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
		feed(t, p, c, batches)
		require.NoError(t, p.Shutdown(context.Background()))
		for point, v := range newest(sink, "chat") {
			if strings.HasPrefix(point, signal.FleetWriter) {
				assert.Equal(t, 1.0, v)
				assert.Contains(t, point, gateway+"/")
				writers[point] = true
			}
		}
	}
	assert.Len(t, writers, 2)
}
