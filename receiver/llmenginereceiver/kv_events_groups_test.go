package llmenginereceiver

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream" //nolint:depguard // it publishes as engines do
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// groupPoints are the values of a stream's points of groups and adapters, by name and attributes.
func groupPoints(t *testing.T, k *kvStream) map[string]int64 {
	t.Helper()
	table := signal.Index(signal.KVEventMetrics())
	w := &pointWriter{table: table, metrics: pmetric.NewMetricSlice()}
	s := k.snapshot()
	s.groups(w)
	s.adapters(w)
	found := map[string]int64{}
	for _, m := range w.metrics.All() {
		declared, ok := table[m.Name()]
		require.True(t, ok, m.Name())
		points := m.Sum().DataPoints
		if m.Type() == pmetric.MetricTypeGauge {
			points = m.Gauge().DataPoints
		}
		for _, p := range points().All() {
			for key := range p.Attributes().All() {
				assert.Contains(t, declared.Attributes, key, m.Name())
			}
			found[m.Name()+fmt.Sprint(p.Attributes().AsRaw())] = p.IntValue()
		}
	}
	return found
}

func TestGroupsAndAdaptersAreTold(t *testing.T) {
	c := defaultStreams().KVEvents
	k := newKVStream(&c, 16<<20, 7, newHandClock(), streamState{})
	payload := func(b stream.KVBatch) []byte { return stream.AppendKVBatch(nil, b, stream.Wire{}) }
	k.Message(payload(stored(epoch, 0, 1, 2)))
	assert.Empty(t, groupPoints(t, k), "all layers are alike, and nobody asked for an adapter")

	batch := stored(epoch, 0, 3, 4)
	full, window := batch.Events[0], batch.Events[0]
	zero, one := 0, 1
	full.Group, full.SpecKind, full.LoRA = &zero, "full_attention", &stream.LoRA{ID: 1, Name: "tuned"}
	window.Group, window.SpecKind, window.Window, window.LoRA = &one, "sliding_window", 128, full.LoRA
	batch.Events = []stream.KVEvent{full, window}
	k.Message(payload(batch))
	got := groupPoints(t, k)
	fullOf := "map[" + signal.AttrKVGroup + ":0 " + signal.AttrKVPool + ":full]"
	windowOf := "map[" + signal.AttrKVGroup + ":1 " + signal.AttrKVPool + ":swa]"
	tuned := "map[" + signal.AttrLoRAName + ":tuned]"
	for key, want := range map[string]int64{
		signal.KVGroupResident + fullOf: 4, signal.KVGroupResident + windowOf: 2, signal.KVGroupBlockSize + windowOf: 16,
		signal.KVGroupWindow + windowOf: 128, signal.KVGroupPassed + windowOf: 0, signal.KVGroupFound + fullOf: 0, signal.KVGroupRemoved + fullOf: 0,
		signal.KVAdapterResident + tuned: 32, signal.KVAdapterStored + tuned: 32, signal.KVAdapterFound + tuned: 0,
		signal.KVAdapterResident + "map[" + signal.AttrLoRAName + ":base]": 32,
	} {
		v, ok := got[key]
		assert.True(t, ok && v == want, "%s: %d, want %d", key, v, want)
	}
	assert.NotContains(t, got, signal.KVGroupWindow+fullOf)
	k.Lost(1)
	assert.NotContains(t, groupPoints(t, k), signal.KVGroupResident+fullOf, "what is resident is not known any more")
}

// TestGroupsAndAdaptersAreFewPoints: with as many as are told apart, a worker stays far below the 350 points that are promised.
func TestGroupsAndAdaptersAreFewPoints(t *testing.T) {
	c := defaultStreams().KVEvents
	k := newKVStream(&c, 16<<20, 7, newHandClock(), streamState{})
	for i := range 100 {
		batch := stored(epoch, 0, uint64(i)+1)
		group := i % 20
		e := &batch.Events[0]
		e.Group, e.SpecKind, e.LoRA = &group, "sliding_window", &stream.LoRA{ID: int64(i), Name: fmt.Sprint("adapter-", i)}
		if group == 0 {
			e.SpecKind = "full_attention"
		}
		e.Window = 64
		k.Message(stream.AppendKVBatch(nil, batch, stream.Wire{}))
	}
	assert.LessOrEqual(t, len(groupPoints(t, k)), 6*kvcache.MaxGroups+3*kvcache.MaxAdapters)
}
