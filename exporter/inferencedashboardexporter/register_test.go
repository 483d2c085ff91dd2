package inferencedashboardexporter

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// resourceOf appends a resource with attributes and returns its metrics.
func resourceOf(md pmetric.Metrics, attrs map[string]any) pmetric.MetricSlice {
	rm := md.ResourceMetrics().AppendEmpty()
	_ = rm.Resource().Attributes().FromRaw(attrs)
	return rm.ScopeMetrics().AppendEmpty().Metrics()
}

func workerAttrs() map[string]any {
	return map[string]any{
		signal.AttrServiceInstanceID: "a:1", signal.AttrHostName: "node-1", signal.AttrModel: "m", signal.AttrEngineName: "vllm", signal.AttrFleetName: "f",
	}
}

func TestShownMetricsAreInTheVocabulary(t *testing.T) {
	declared := map[string][]string{}
	for _, m := range signal.All() {
		declared[m.Name] = append(declared[m.Name], m.Attributes...)
	}
	for name, m := range shownTable() {
		assert.LessOrEqual(t, len(m.of), maxPlaces, name)
		require.Contains(t, declared, name)
		for _, attr := range m.of {
			assert.Contains(t, declared[name], attr, name)
		}
	}
}

func TestReadSubject(t *testing.T) {
	for name, c := range map[string]struct {
		attrs map[string]any
		kind  subjectKind // "" for none
	}{
		"worker":              {workerAttrs(), kindWorker},
		"gpu":                 {map[string]any{signal.AttrHWID: "GPU-1", signal.AttrHostName: "node-1"}, kindGPU},
		"agent":               {map[string]any{signal.AttrNIXLSource: "buffer", signal.AttrNIXLAgentSlot: int64(3), signal.AttrProcessPID: int64(7)}, kindAgent},
		"fleet":               {map[string]any{signal.AttrFleetName: "f"}, kindFleet},
		"host":                {map[string]any{signal.AttrHostName: "node-1"}, kindHost},
		"router":              {map[string]any{signal.AttrObserver: "router", signal.AttrServiceInstanceID: "r:1", signal.AttrHostName: "node-1"}, ""},
		"nothing":             {map[string]any{}, ""},
		"anything else":       {map[string]any{signal.AttrServiceInstanceID: "web:80"}, ""},
		"beyond every bound":  {map[string]any{signal.AttrFleetName: strings.Repeat("x", maxLabel+1)}, ""},
		"agent without names": {map[string]any{signal.AttrNIXLSource: "buffer"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			attrs := pcommon.NewMap()
			require.NoError(t, attrs.FromRaw(c.attrs))
			k, ok := readSubject(attrs)
			if ok = ok && k.kind != ""; !ok {
				assert.Empty(t, c.kind)
				return
			}
			assert.Equal(t, c.kind, k.kind)
		})
	}
}

func TestAWorkersSubjectHasTheWorkersID(t *testing.T) {
	k := subjectKey{kind: kindWorker, host: "h", instance: "i", model: "m"}
	assert.Equal(t, workerKey{"h", "i", "m"}.id(), k.id())
	assert.Equal(t, shortID("f"), subjectKey{kind: kindFleet, instance: "f"}.id())
}

func TestFiguresArriveAsTheyAre(t *testing.T) {
	r, now := newRegister(10), at(60)
	var rejected tally
	for i, second := range []float64{0, 30, 60} {
		md := pmetric.NewMetrics()
		ms := resourceOf(md, workerAttrs())
		for use, v := range map[string]float64{signal.KVUseLive: 600, signal.KVUseFree: 400} {
			addGauge(ms, signal.KVTokens, at(second), v, map[string]any{signal.AttrKVUse: use})
		}
		addSum(ms, signal.KVMissTokens, at(0), at(second), float64(300*i), map[string]any{signal.AttrMissCause: signal.MissCapacity})
		counts := []uint64{uint64(90 * i), uint64(10 * i), 0}
		addHistogram(ms, signal.KVTransferTime, at(0), at(second), []float64{0.01, 1}, counts).Attributes().PutStr(signal.AttrKVBackend, "nixl")
		r.observe(md, at(second), &rejected)
	}
	views := r.views(now, nil)
	require.Len(t, views, 1)
	assert.Equal(t, tally{}, rejected)
	v := views[0]
	assert.Equal(t, shortID("f"), v.FleetID)
	assert.Equal(t, []figureView{{[]string{"free"}, some(400)}, {[]string{"live"}, some(600)}}, v.Sections[sectionKV][signal.KVTokens])
	assert.Equal(t, []figureView{{[]string{"capacity"}, some(10)}}, v.Sections[sectionKV][signal.KVMissTokens], "600 tokens in a minute")
	tail := v.Sections[sectionTransfer][signal.KVTransferTime]
	require.Len(t, tail, 2)
	assert.Equal(t, []string{"nixl", "", "p50"}, tail[0].Of)
	assert.Greater(t, tail[1].Value.value, 0.01, "p99 lies in the second bucket")

	assert.Empty(t, r.views(now.Add(2*time.Minute), nil)[0].Sections, "what is silent is not shown")
	r.evict(now.Add(evictAfter + time.Minute))
	assert.Empty(t, r.views(now, nil))
}

func TestAFigureThatEndsIsGone(t *testing.T) {
	r := newRegister(10)
	var rejected tally
	md := pmetric.NewMetrics()
	addGauge(resourceOf(md, map[string]any{signal.AttrFleetName: "f"}), signal.DisaggregationScore, at(0), 0.5, nil)
	r.observe(md, at(0), &rejected)
	require.Len(t, r.views(at(0), nil)[0].Sections, 1)

	end := pmetric.NewMetrics()
	p := addGauge(resourceOf(end, map[string]any{signal.AttrFleetName: "f"}), signal.DisaggregationScore, at(5), 0, nil)
	p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	r.observe(end, at(5), &rejected)
	assert.Empty(t, r.views(at(5), nil)[0].Sections)
	assert.Equal(t, tally{}, rejected)
}

func TestTheRegisterIsBounded(t *testing.T) {
	r := newRegister(1)
	var rejected tally
	md := pmetric.NewMetrics()
	for i := range subjectsPerWorker + 3 {
		addGauge(resourceOf(md, map[string]any{signal.AttrFleetName: fmt.Sprint("f", i)}), signal.DisaggregationScore, at(0), 1, nil)
	}
	r.observe(md, at(0), &rejected)
	assert.Len(t, r.views(at(0), nil), subjectsPerWorker)
	assert.EqualValues(t, 3, rejected[rejectFull])

	r, rejected = newRegister(1), tally{}
	md = pmetric.NewMetrics()
	ms := resourceOf(md, workerAttrs())
	for i := range maxFigures + 2 {
		addGauge(ms, signal.SourceMissing, at(0), 1, map[string]any{signal.AttrSource: strings.Repeat("x", 2*maxLabel), signal.AttrSourceHint: fmt.Sprint(i)})
	}
	r.observe(md, at(0), &rejected)
	figures := r.views(at(0), nil)[0].Sections[sectionSources][signal.SourceMissing]
	assert.Len(t, figures, maxFigures)
	assert.Len(t, figures[0].Of[0], maxLabel)
	assert.EqualValues(t, 2, rejected[rejectFull])
}

// A worker that the page has no room for is none of the subjects either: they are all looked at with each update.
func TestTheRegisterHasNoMoreWorkersThanThePage(t *testing.T) {
	r := newRegister(2)
	var rejected tally
	send := func(from, to int, now time.Time) {
		md := pmetric.NewMetrics()
		for i := from; i < to; i++ {
			attrs := workerAttrs()
			attrs[signal.AttrServiceInstanceID] = fmt.Sprintf("worker-%d:8000", i)
			addGauge(resourceOf(md, attrs), signal.SourceMissing, now, 1, map[string]any{signal.AttrSource: "nvml"})
		}
		r.observe(md, now, &rejected)
	}
	send(0, 5, at(0))
	assert.Len(t, r.views(at(0), nil), 2)
	assert.EqualValues(t, 3, rejected[rejectFull])
	later := at(0).Add(2 * evictAfter)
	r.evict(later)
	send(3, 5, later)
	assert.Len(t, r.views(later, nil), 2, "who left made room")
}

func TestWhatIsNoFigureIsRefused(t *testing.T) {
	r := newRegister(1)
	var rejected tally
	md := pmetric.NewMetrics()
	ms := resourceOf(md, workerAttrs())
	addGauge(ms, signal.KVThrash, at(-600), 1, nil)
	addGauge(ms, signal.KVThrash, at(0), math.NaN(), nil)
	addHistogram(ms, signal.KVStorm, at(0), at(0), []float64{1}, []uint64{1, 0})
	addGauge(ms, signal.KVTransferTime, at(0), 1, nil)
	r.observe(md, at(0), &rejected)
	assert.EqualValues(t, 1, rejected[rejectOutOfTime])
	assert.EqualValues(t, 1, rejected[rejectNotANumber])
	assert.EqualValues(t, 2, rejected[rejectUnsupported])
}

func TestOnlyChangedSectionsAreTold(t *testing.T) {
	section := func(v float64) sectionView { return sectionView{"m": {{[]string{}, some(v)}}} }
	before := subjectView{ID: "a", Sections: map[string]sectionView{"kv": section(1), "gpu": section(1), "transfer": section(1)}}
	after := subjectView{ID: "a", Sections: map[string]sectionView{"kv": section(1), "gpu": section(2)}}
	d, changed := after.since(&before)
	assert.True(t, changed)
	assert.Equal(t, map[string]sectionView{"gpu": section(2), "transfer": {}}, d.Sections, "a section that ended is told, empty")
	_, changed = after.since(&after)
	assert.False(t, changed)

	told, gone := subjectChanges([]subjectView{before}, []subjectView{{ID: "b"}})
	assert.Equal(t, []string{"a"}, gone)
	assert.Len(t, told, 1)
}

func BenchmarkRegister(b *testing.B) {
	r := newRegister(10)
	md := pmetric.NewMetrics()
	ms := resourceOf(md, workerAttrs())
	n := 0
	for _, use := range []string{"live", "free", "tail_waste", "reserved", "pinned", "cached_useful", "cached_dead", "unattributed"} {
		addGauge(ms, signal.KVTokens, at(0), 1, map[string]any{signal.AttrKVUse: use})
		addSum(ms, signal.KVMissTokens, at(0), at(0), 1, map[string]any{signal.AttrMissCause: use})
		n += 2
	}
	var rejected tally
	b.ReportAllocs()
	for b.Loop() {
		r.observe(md, at(0), &rejected)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/point")
}

func BenchmarkViews(b *testing.B) {
	r := newRegister(200)
	var rejected tally
	for w := range 200 {
		md := pmetric.NewMetrics()
		attrs := workerAttrs()
		attrs[signal.AttrServiceInstanceID] = fmt.Sprint("worker-", w)
		ms := resourceOf(md, attrs)
		for i := range 25 {
			addGauge(ms, signal.KVTokens, at(0), 1, map[string]any{signal.AttrKVUse: fmt.Sprint(i)})
			addSum(ms, signal.KVMissTokens, at(0), at(0), 1, map[string]any{signal.AttrMissCause: fmt.Sprint(i)})
		}
		r.observe(md, at(0), &rejected)
	}
	before := r.views(at(0), nil)
	b.ReportAllocs()
	for b.Loop() {
		subjectChanges(before, r.views(at(0), nil))
	}
}
