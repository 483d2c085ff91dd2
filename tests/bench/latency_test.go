package main

import (
	"bytes"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestAStampedPageTellsTheTime, and is the same page otherwise.
func TestAStampedPageTellsTheTime(t *testing.T) {
	p, err := readPage(recorded)
	require.NoError(t, err)
	at := time.UnixMicro(1_764_000_000_123_456)
	stampedPage, err := p.stamp(stamped, func() time.Time { return at })
	require.NoError(t, err)
	var plain, told bytes.Buffer
	p.write(&plain, 3)
	stampedPage.write(&told, 3)
	was, now := strings.Split(plain.String(), "\n"), strings.Split(told.String(), "\n")
	require.Len(t, now, len(was))
	var changed []string
	for i := range now {
		if now[i] != was[i] {
			changed = append(changed, now[i])
		}
	}
	assert.Equal(t, []string{stamped + `{engine="0",model_name="tiny-llama"} 1764000000123456.0`}, changed)
	_, err = p.stamp("vllm:nothing", time.Now)
	assert.ErrorContains(t, err, "vllm:nothing")
}

// TestAKnownDelayIsToldAsSuch, by each road to the sink.
func TestAKnownDelayIsToldAsSuch(t *testing.T) {
	now := time.UnixMicro(1_764_000_000_123_456)
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMicro() }
	r := &receipts{now: func() time.Time { return now }}

	md := pmetric.NewMetrics()
	metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	for _, c := range []struct {
		name  string
		point func(pmetric.Metric) pmetric.NumberDataPoint
		ago   time.Duration
	}{
		{stamped, func(m pmetric.Metric) pmetric.NumberDataPoint { return m.SetEmptyGauge().DataPoints().AppendEmpty() }, 250 * time.Millisecond},
		{signal.Running, func(m pmetric.Metric) pmetric.NumberDataPoint { return m.SetEmptySum().DataPoints().AppendEmpty() }, 3 * time.Second},
		{"other", func(m pmetric.Metric) pmetric.NumberDataPoint { return m.SetEmptyGauge().DataPoints().AppendEmpty() }, time.Hour},
	} {
		m := metrics.AppendEmpty()
		m.SetName(c.name)
		c.point(m).SetDoubleValue(float64(ago(c.ago)))
	}
	ended := metrics.AppendEmpty()
	ended.SetName(stamped)
	ended.SetEmptyGauge().DataPoints().AppendEmpty().SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	whole := metrics.AppendEmpty()
	whole.SetName(signal.Running)
	whole.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(ago(time.Millisecond))
	r.take(md)
	assert.Equal(t, []time.Duration{time.Millisecond, 250 * time.Millisecond, 3 * time.Second}, r.taken())
	assert.EqualValues(t, 3, r.count.Load())

	written := prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{Labels: []prompb.Label{{Name: "__name__", Value: stamped}}, Samples: []prompb.Sample{{Value: float64(ago(20 * time.Millisecond))}, {Value: math.NaN()}}},
		{Labels: []prompb.Label{{Name: "__name__", Value: "other"}, {Name: "a", Value: stamped}}, Samples: []prompb.Sample{{Value: 1}}},
	}}
	raw, err := written.Marshal()
	require.NoError(t, err)
	post := func(body []byte) int {
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/api/v1/write", bytes.NewReader(body)))
		return answer.Code
	}
	assert.Equal(t, http.StatusNoContent, post(snappy.Encode(nil, raw)))
	assert.Equal(t, []time.Duration{20 * time.Millisecond}, r.taken())
	assert.Equal(t, http.StatusBadRequest, post(raw), "not compressed")

	var out strings.Builder
	m := measured{done: 2, due: 2, answers: []time.Duration{20 * time.Millisecond, 250 * time.Millisecond}}
	reportLatency(&out, options{}, 1, []subject{{name: "a"}}, map[string][]measured{"a": {m}})
	assert.Contains(t, out.String(), "| `a` | 20 (20 to 20) | 20 (20 to 20) | 250 (250 to 250) | all |")
}

// TestPointsBringTheirStamps: what engines answered half a second ago, by their own clock, is at least that old when it is in the sink.
func TestPointsBringTheirStamps(t *testing.T) {
	p, err := readPage(recorded)
	require.NoError(t, err)
	const old = 500 * time.Millisecond
	o := options{interval: time.Second, targets: 2}
	subjects, err := senders(o, built, p)
	require.NoError(t, err)
	open := func() (work, error) { return arrivals(o, p, func() time.Time { return time.Now().Add(-old) }) }
	require.NoError(t, checkAll(subjects, open))
	for _, name := range []string{"llm_engine, batch", "prometheus, filter, transform"} { // the stamps of all roads over OTLP
		s := subjects[slices.IndexFunc(subjects, func(s subject) bool { return s.name == name })]
		w, err := open()
		require.NoError(t, err)
		at, err := newSite(t.TempDir(), w.targets)
		require.NoError(t, err)
		c, err := start(s, at)
		require.NoError(t, err)
		assert.Eventually(t, func() bool { return w.done() > 0 }, time.Minute, 50*time.Millisecond, name)
		assert.NoError(t, c.stop(), name)
		assert.NoError(t, w.close())
		delays := w.answers()
		require.NotEmpty(t, delays, name)
		assert.GreaterOrEqual(t, delays[0], old, name)
	}
}
