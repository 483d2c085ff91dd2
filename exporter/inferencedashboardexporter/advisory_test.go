package inferencedashboardexporter

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// told makes an event of the advice connector on a fleet or, with worker, on a worker.
func told(name, rule string, when time.Time, body map[string]any) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr(signal.AttrFleetName, "llama-70b")
	r := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.SetEventName(name)
	r.SetTimestamp(pcommon.NewTimestampFromTime(when))
	if rule != "" {
		r.Attributes().PutStr(signal.AttrAdviceID, rule)
		r.Attributes().PutStr(signal.AttrAdviceSeverity, "warning")
	}
	_ = r.Body().SetEmptyMap().FromRaw(body)
	return ld
}

func adviceBody(title string) map[string]any {
	return map[string]any{
		"title": title, "confidence": 0.9, "since": int64(1e18), "subject": "fleet",
		"evidence":  []any{map[string]any{"name": "ITL", "value": 0.08, "unit": "s", "metric": signal.ITL, "limit": 0.05}},
		"action":    map[string]any{"text": "Use a smaller budget.", "change": "--max-num-batched-tokens 2048", "where": "vllm 0.32"},
		"predicted": map[string]any{"name": "ITL", "unit": "s", "from": 0.08, "to": 0.05, "low": 0.04, "high": 0.06},
	}
}

func gaugeOn(name string, when time.Time, attrs map[string]any, gone bool) pmetric.Metrics {
	md := pmetric.NewMetrics()
	p := addGauge(resourceOf(md, map[string]any{signal.AttrFleetName: "llama-70b"}), name, when, 1, attrs)
	p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(gone))
	return md
}

func TestTheLifeOfAnAdvice(t *testing.T) {
	a := newAdvisory()
	say := func(name, title string, second float64) {
		bad, full := a.observeLogs(told(name, "interference", at(second), adviceBody(title)), at(second))
		require.Zero(t, bad+full)
	}
	say(eventRaised, "one", 0)
	v := a.views(nil, at(0))
	require.Len(t, v, 1)
	assert.Equal(t, adviceStands, v[0].State)
	assert.Equal(t, "HIGH", v[0].ConfidenceWord)
	assert.Equal(t, "--max-num-batched-tokens 2048", v[0].Change)
	assert.Equal(t, &predictionView{"ITL", "s", some(0.08), some(0.05), some(0.04), some(0.06)}, v[0].Predicted)
	assert.Equal(t, []quantityView{{"ITL", some(0.08), "s", signal.ITL, some(0.05)}}, v[0].Evidence)

	say(eventUpdated, "two", 10)
	say(eventRaised, "late", 5)
	assert.Equal(t, "two", a.views(nil, at(10))[0].Title, "what is late changes nothing")

	say(eventCleared, "two", 20)
	assert.Equal(t, adviceCleared, a.views(nil, at(20))[0].State)
	body := adviceBody("two")
	body["observed"] = map[string]any{"value": 0.05, "result": "inside", "lever": "max_num_batched_tokens", "from": "8192", "to": "2048", "records": int64(1), "record": 1.0}
	a.observeLogs(told(eventVerified, "interference", at(30), body), at(30))
	v = a.views(nil, at(30))
	assert.Equal(t, adviceVerified, v[0].State)
	assert.Equal(t, "inside", v[0].Observed.Result)

	a.evict(at(30).Add(keepPast + time.Second))
	assert.Empty(t, a.views(nil, at(30)))
}

// What acts on the verdict comes before what is more severe and does not; past advice comes last whatever it was.
func TestAdviceThatAnswersTheVerdictComesFirst(t *testing.T) {
	a := newAdvisory()
	for rule, severity := range map[string]string{"preemptions": "critical", "tcp-fallback": "warning", "transfer-rails": "info", "decode-bound": "critical"} {
		ld := told(eventRaised, rule, at(0), adviceBody(rule))
		ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().PutStr(signal.AttrAdviceSeverity, severity)
		a.observeLogs(ld, at(0))
	}
	rules := func(c code) (rules []string) {
		for _, v := range a.views([]fleetView{judged("llama-70b", c, 0)}, at(0)) {
			rules = append(rules, v.Rule)
		}
		return rules
	}
	assert.Equal(t, []string{"tcp-fallback", "decode-bound", "preemptions", "transfer-rails"}, rules("tcp_fallback"))
	assert.Equal(t, []string{"preemptions", "decode-bound", "tcp-fallback", "transfer-rails"}, rules("decode_bound"), "a setting before more capacity")
	assert.Equal(t, []string{"decode-bound", "preemptions", "tcp-fallback", "transfer-rails"}, rules("balanced"), "by severity alone")
	a.observeLogs(told(eventCleared, "tcp-fallback", at(1), adviceBody("over")), at(1))
	assert.Equal(t, "tcp-fallback", rules("tcp_fallback")[3])
}

func TestAdviceStandsByItsGaugeAlone(t *testing.T) {
	a := newAdvisory()
	attrs := map[string]any{signal.AttrAdviceID: "preemptions", signal.AttrAdviceSeverity: "critical"}
	a.observeMetrics(gaugeOn(signal.Advice, at(0), attrs, false), at(0))
	a.observeMetrics(gaugeOn(signal.AdviceRecord, at(0), map[string]any{signal.AttrAdviceID: "preemptions"}, false), at(0))
	v := a.views(nil, at(0))
	require.Len(t, v, 1, "a restart with storage tells nothing again")
	assert.Equal(t, adviceStands, v[0].State)
	assert.Equal(t, "critical", v[0].Severity)
	assert.Empty(t, v[0].Title)
	assert.Equal(t, some(1), v[0].Record)

	a.observeMetrics(gaugeOn(signal.Advice, at(5), attrs, true), at(5))
	assert.Equal(t, adviceCleared, a.views(nil, at(5))[0].State)
}

// judged is a fleet with a verdict; silent is when it was last heard of where it has fallen silent.
func judged(name string, c code, silent int64) fleetView {
	return fleetView{ID: shortID(name), Name: name, Verdict: &verdictView{Code: c}, Workers: &countsView{Total: 1, LastHeard: silent}}
}

// What was advised to a fleet of which nothing is heard stands, and says as of when; it comes after what still holds.
func TestAdviceOfTheSilentSaysAsOfWhen(t *testing.T) {
	a := newAdvisory()
	for i := range 4 {
		for rule, severity := range map[string]string{"preemptions": "critical", "interference": "warning"} {
			if rule == "preemptions" && i > 0 {
				continue // one window, and no more
			}
			a.observeMetrics(gaugeOn(signal.Advice, at(5*float64(i)), map[string]any{signal.AttrAdviceID: rule, signal.AttrAdviceSeverity: severity}, false), at(5*float64(i)))
		}
	}
	v := a.views(nil, at(16))
	assert.Equal(t, []string{"interference", "preemptions"}, []string{v[0].Rule, v[1].Rule}, "what still holds comes first")
	assert.Zero(t, v[0].AsOf)
	assert.Equal(t, at(0).UnixMilli(), v[1].AsOf)
	assert.Equal(t, adviceStands, v[1].State)

	v = a.views([]fleetView{judged("llama-70b", codeUnknown, at(12).UnixMilli())}, at(16))
	assert.Equal(t, at(12).UnixMilli(), v[0].AsOf, "its workers are silent, whatever the connector says")

	a.observeLogs(told(eventRaised, "kv-lease", at(16), adviceBody("events alone")), at(16))
	for _, v := range a.views(nil, at(90)) {
		assert.Equal(t, v.Rule == "kv-lease", v.AsOf == 0, v.Rule)
	}
}

func TestAFleetThatIsSilentSaysSoWithItsAdvice(t *testing.T) {
	d, _, now := filled(t, 2, 4)
	require.NoError(t, d.consumeLogs(context.Background(), told(eventRaised, "interference", now, adviceBody("t"))))
	heard := now
	d.board.update(now.Add(10 * time.Second))
	assert.Zero(t, d.board.latest.Load().Fleets[0].Workers.LastHeard)
	s := d.board.update(now.Add(20 * time.Second))
	assert.Equal(t, heard.UnixMilli(), s.Fleets[0].Workers.LastHeard)
	assert.Equal(t, heard.UnixMilli(), s.Advice[0].AsOf)
	words, err := io.ReadAll(get(t, d.api.handler(), "GET", "/api/v1/advice", "Accept", "text/plain").Body)
	require.NoError(t, err)
	assert.Contains(t, string(words), "WARNING llama-70b: t (as of "+heard.Local().Format("15:04:05 MST")+", no data since)\n")
}

func TestAdviceIsBounded(t *testing.T) {
	a := newAdvisory()
	var full int64
	for i := range maxAdvice + 2 {
		_, f := a.observeLogs(told(eventRaised, fmt.Sprint("rule-", i), at(float64(i)), adviceBody("x")), at(float64(i)))
		full += f
	}
	assert.EqualValues(t, 2, full)
	a.observeLogs(told(eventCleared, "rule-0", at(maxAdvice+2), adviceBody("x")), at(maxAdvice+2))
	_, f := a.observeLogs(told(eventRaised, "new", at(maxAdvice+3), adviceBody("x")), at(maxAdvice+3))
	assert.Zero(t, f, "advice that ended makes room")
	assert.Len(t, a.views(nil, at(0)), maxAdvice)
}

func TestOtherLogsArePassedOver(t *testing.T) {
	a := newAdvisory()
	bad, full := a.observeLogs(told("exception", "", at(0), nil), at(0))
	assert.Zero(t, bad+full)
	bad, _ = a.observeLogs(told(eventRaised, "", at(0), adviceBody("no rule")), at(0))
	assert.EqualValues(t, 1, bad)
	bad, _ = a.observeLogs(told(eventVerdict, "", at(0), map[string]any{"code": "balanced"}), at(0))
	assert.EqualValues(t, 1, bad, "no title")
	ld := told(eventRaised, "r", at(0), nil)
	ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().SetStr("text")
	bad, _ = a.observeLogs(ld, at(0))
	assert.EqualValues(t, 1, bad)
	assert.Empty(t, a.views(nil, at(0)))
}

func verdictBody() map[string]any {
	return map[string]any{
		"code": "interference", "title": "Prefill gets in decode's way.", "detail": "d", "direction": "n", "standing": "final", "basis": "workers",
		"confidence": 0.82, "loss": 0.3, "waits_for": "", "since": int64(5e18), "also": []any{"x"}, "subject": "fleet",
	}
}

func TestTheConnectorsVerdictIsRendered(t *testing.T) {
	d, _, now := filled(t, 2, 20)
	fleet := func() fleetView { return d.board.latest.Load().Fleets[0] }
	assert.Equal(t, verdictOfPage, fleet().Verdict.Source, "without a connector the page judges by itself")
	own := *fleet().Verdict

	code := map[string]any{signal.AttrVerdictCode: "interference"}
	require.NoError(t, d.consumeLogs(context.Background(), told(eventVerdict, "", now, verdictBody())))
	require.NoError(t, d.consumeMetrics(context.Background(), gaugeOn(signal.Verdict, now, code, false)))
	d.update(context.Background())
	v := fleet().Verdict
	assert.Equal(t, verdictOfAdvice, v.Source)
	assert.Equal(t, "Prefill gets in decode's way.", v.Title)
	assert.Equal(t, "HIGH", v.ConfidenceWord)
	assert.Equal(t, []string{"x"}, v.Also)
	assert.Equal(t, own.Evidence, v.Evidence, "the figures are those of now")
	assert.EqualValues(t, 5e12, v.Since)

	later := now.Add(time.Second)
	require.NoError(t, d.consumeMetrics(context.Background(), gaugeOn(signal.Verdict, later, map[string]any{signal.AttrVerdictCode: "workers_down"}, false)))
	d.update(context.Background())
	assert.Equal(t, "Workers down.", fleet().Verdict.Title, "a code whose words did not arrive")
	assert.Empty(t, fleet().Verdict.Detail)

	require.NoError(t, d.consumeMetrics(context.Background(), gaugeOn(signal.Verdict, later.Add(time.Second), map[string]any{signal.AttrVerdictCode: "workers_down"}, true)))
	d.update(context.Background())
	assert.Equal(t, verdictOfPage, fleet().Verdict.Source, "a connector that says no more is no judge")
	assert.Equal(t, own.Title, fleet().Verdict.Title)
}

func TestAdviceInTheAPI(t *testing.T) {
	d, _, now := filled(t, 1, 2)
	require.NoError(t, d.consumeLogs(context.Background(), told(eventRaised, "interference", now, adviceBody("bad\x1b[31m title"))))
	require.NoError(t, d.consumeMetrics(context.Background(), gaugeOn(signal.DisaggregationScore, now, nil, false)))
	d.update(context.Background())
	h := d.api.handler()
	fleet := shortID("llama-70b")
	got := decode(t, get(t, h, "GET", "/api/v1/advice?fleet="+fleet))
	require.Len(t, got["advice"], 1)
	assert.Equal(t, "interference", got["advice"].([]any)[0].(map[string]any)["rule"])
	assert.Len(t, decode(t, get(t, h, "GET", "/api/v1/advice?fleet=llama-70b"))["advice"], 1)
	assert.Equal(t, 404, get(t, h, "GET", "/api/v1/advice?fleet=other").StatusCode)

	words, err := io.ReadAll(get(t, h, "GET", "/api/v1/advice", "Accept", "text/plain").Body)
	require.NoError(t, err)
	assert.Equal(t, "WARNING llama-70b: bad\uFFFD[31m title\n  Use a smaller budget.\n    --max-num-batched-tokens 2048\n", string(words))

	assert.Len(t, decode(t, get(t, h, "GET", "/api/v1/subjects?kind=fleet&fleet="+fleet))["subjects"], 1)
	assert.Empty(t, decode(t, get(t, h, "GET", "/api/v1/subjects?kind=gpu"))["subjects"])
}

func TestAdviceOfAFleetWhoseWorkersAreNotHere(t *testing.T) {
	now := at(5)
	d, err := newDashboard(createDefaultConfig().(*Config), exportertest.NewNopSettings(metadata.Type), func() time.Time { return now })
	require.NoError(t, err)
	require.NoError(t, d.consumeLogs(context.Background(), told(eventRaised, "interference", now, adviceBody("x"))))
	d.update(context.Background())
	h := d.api.handler()
	assert.Len(t, decode(t, get(t, h, "GET", "/api/v1/advice?fleet="+shortID("llama-70b")))["advice"], 1)
	assert.Equal(t, 404, get(t, h, "GET", "/api/v1/advice?fleet=other").StatusCode)
}
