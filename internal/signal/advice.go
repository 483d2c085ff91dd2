package signal // import "github.com/otelcol-inference/otelcol-inference/internal/signal"

// Metrics of the advice connector.
const (
	Advice       = "llm.advice"
	Verdict      = "llm.verdict"
	AdviceRecord = "llm.advice.track_record"
)

// Point attributes of advice and verdict.
const (
	AttrAdviceID       = "llm.advice.id"
	AttrAdviceSeverity = "llm.advice.severity"
	AttrVerdictCode    = "llm.verdict.code"
)

// AdviceMetrics lists what the advice connector emits.
func AdviceMetrics() []Metric {
	const c = "advice"
	return []Metric{
		{Advice, Gauge, "1", []string{AttrAdviceID, AttrAdviceSeverity}, c,
			"1 while the advice stands; the resource is its subject. Evidence, action and predicted effect are in the log event llm.advice.raised."},
		{Verdict, Gauge, "1", []string{AttrVerdictCode}, c,
			"1 for the verdict in force on a fleet. Its words, numbers and confidence are in the log event of the same name."},
		{AdviceRecord, Gauge, "1", []string{AttrAdviceID}, c,
			"Share of a rule's predictions for the fleet whose observed effect fell inside the stated interval: of the last 20 that could be verified."},
	}
}
