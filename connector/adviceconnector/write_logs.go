package adviceconnector // import "github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-inference/otelcol-inference/connector/adviceconnector/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/internal/advice"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// logsOf writes events as log records: what is needed to select them as attributes, all else in the body, a map.
func logsOf(events []advice.Event, now time.Time) plog.Logs {
	ld := plog.NewLogs()
	var records plog.LogRecordSlice
	var subject advice.Ref
	for i := range events {
		e := &events[i]
		if i == 0 || e.Subject.Ref != subject {
			subject = e.Subject.Ref
			rl := ld.ResourceLogs().AppendEmpty()
			writeResource(e.Subject, rl.Resource())
			sl := rl.ScopeLogs().AppendEmpty()
			sl.Scope().SetName(metadata.ScopeName)
			records = sl.LogRecords()
		}
		writeEvent(e, now, records.AppendEmpty())
	}
	return ld
}

func writeEvent(e *advice.Event, now time.Time, r plog.LogRecord) {
	r.SetEventName(string(e.Name))
	r.SetTimestamp(pcommon.Timestamp(e.At))
	r.SetObservedTimestamp(pcommon.NewTimestampFromTime(now))
	body := r.Body().SetEmptyMap()
	body.PutStr("subject", string(e.Subject.Kind))
	body.PutInt("since", e.Since)
	if e.Verdict != nil {
		setSeverity(r, verdictSeverity(e.Verdict))
		r.Attributes().PutStr(signal.AttrVerdictCode, string(e.Verdict.Code))
		writeVerdict(e.Verdict, body)
		return
	}
	severity := plog.SeverityNumberInfo
	if e.Name == advice.Raised || e.Name == advice.Updated {
		severity = severityOf(e.Finding.Severity)
	}
	setSeverity(r, severity)
	r.Attributes().PutStr(signal.AttrAdviceID, e.Rule)
	r.Attributes().PutStr(signal.AttrAdviceSeverity, string(e.Finding.Severity))
	writeFinding(&e.Finding, body)
	if e.Reason != "" {
		body.PutStr("reason", e.Reason)
	}
	if e.Observed != nil {
		writeObserved(e.Observed, body.PutEmptyMap("observed"))
	}
}

func setSeverity(r plog.LogRecord, s plog.SeverityNumber) {
	r.SetSeverityNumber(s)
	r.SetSeverityText(map[plog.SeverityNumber]string{
		plog.SeverityNumberInfo: "INFO", plog.SeverityNumberWarn: "WARN", plog.SeverityNumberError: "ERROR",
	}[s])
}

func severityOf(s advice.Severity) plog.SeverityNumber {
	switch s {
	case advice.Critical:
		return plog.SeverityNumberError
	case advice.Warning:
		return plog.SeverityNumberWarn
	}
	return plog.SeverityNumberInfo
}

// verdictSeverity is ERROR for workers that are down, WARN for what costs goodput, else INFO.
func verdictSeverity(v *advice.Verdict) plog.SeverityNumber {
	switch {
	case v.Code == advice.WorkersDown:
		return plog.SeverityNumberError
	case v.Standing == advice.Final && v.Loss > 0:
		return plog.SeverityNumberWarn
	}
	return plog.SeverityNumberInfo
}

func writeVerdict(v *advice.Verdict, body pcommon.Map) {
	for _, kv := range [][2]string{
		{"code", string(v.Code)}, {"standing", string(v.Standing)}, {"basis", string(v.Basis)}, {"title", v.Title}, {"detail", v.Detail},
		{"direction", v.Direction}, {"waits_for", v.WaitsFor},
	} {
		body.PutStr(kv[0], kv[1])
	}
	body.PutDouble("confidence", v.Confidence)
	body.PutDouble("loss", v.Loss)
	also := body.PutEmptySlice("also")
	for _, text := range v.Also {
		also.AppendEmpty().SetStr(text)
	}
	writeEvidence(v.Evidence, body)
}

func writeFinding(f *advice.Finding, body pcommon.Map) {
	body.PutStr("title", f.Title)
	body.PutDouble("confidence", f.Confidence)
	writeEvidence(f.Evidence, body)
	action := body.PutEmptyMap("action")
	action.PutStr("text", f.Action.Text)
	if f.Action.Change != "" {
		action.PutStr("change", f.Action.Change)
	}
	if f.Action.Where != "" {
		action.PutStr("where", f.Action.Where)
	}
	if p := f.Predicted; p != nil {
		m := body.PutEmptyMap("predicted")
		m.PutStr("name", p.Name)
		m.PutStr("unit", p.Unit)
		m.PutDouble("from", p.From)
		m.PutDouble("to", p.To)
		m.PutDouble("low", p.Low)
		m.PutDouble("high", p.High)
	}
}

func writeEvidence(qs []advice.Quantity, body pcommon.Map) {
	evidence := body.PutEmptySlice("evidence")
	for _, q := range qs {
		m := evidence.AppendEmpty().SetEmptyMap()
		m.PutStr("name", q.Name)
		m.PutDouble("value", q.Value)
		m.PutStr("unit", q.Unit)
		if q.Metric != "" {
			m.PutStr("metric", q.Metric)
		}
		if q.Limit != nil {
			m.PutDouble("limit", *q.Limit)
		}
	}
}

func writeObserved(o *advice.Observation, m pcommon.Map) {
	m.PutDouble("value", o.Value)
	m.PutStr("result", string(o.Result))
	m.PutStr("lever", o.Lever)
	m.PutStr("from", o.From)
	m.PutStr("to", o.To)
	m.PutDouble("demand_before", o.Demand[0])
	m.PutDouble("demand_after", o.Demand[1])
	m.PutInt("records", int64(o.Records))
	if o.Records > 0 {
		m.PutDouble("record", o.Record)
	}
}
