package grafana

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/grafana/alert"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func kvAlerts(s promql.Scope) []alert.Alert {
	w := by(signal.AttrFleetName, signal.AttrServiceInstanceID)
	of := "{{ $labels." + s.Label(signal.AttrServiceInstanceID) + " }}"
	regret := s.SumRate(signal.KVRegretTokens, w) + " / " +
		s.SumRate(signal.KVStoredTokens, w, promql.Not(signal.AttrMissCause, missGenerated))
	stored := data(s, signal.KVStoredTokens, alert.Rising(1000), worker(promql.Is(signal.AttrMissCause, missCapacity))...)
	return []alert.Alert{
		{Name: "InferenceKVFull", Severity: alert.Warning, For: 5 * time.Minute,
			Value: s.Max(signal.KVUtilization, w), Condition: "> 0.95",
			Summary: "Running requests hold {{ $value | humanizePercentage }} of the KV blocks of " + of,
			Meaning: "There is hardly a block left: the next tokens preempt a request, which is computed again.",
			Look:    "Dashboard KV cache, Is there room?: are there preemptions, did answers or prompts become longer, is the pool smaller than that of its peers?",
			Action:  "Lower max_num_seqs, raise gpu_memory_utilization, use an 8-bit KV data type, or add a (decode) worker.",
			Bad:     []alert.Series{data(s, signal.KVUtilization, alert.Steady(0.99), worker()...)},
			Good:    []alert.Series{data(s, signal.KVUtilization, alert.Steady(0.6), worker()...)}},
		{Name: "InferencePreemptions", Severity: alert.Warning, For: 10 * time.Minute,
			Value: s.SumRate(signal.Preemptions, w), Condition: "> 0.1",
			Summary: "{{ $value | humanize }} requests a second are preempted on " + of,
			Meaning: "Running requests lose their KV blocks and are computed again. Users see an answer stop and go on; the worker does the work twice.",
			Look:    "KV use of the worker, max_num_seqs, and whether swapping or offloading is on.",
			Action:  "Lower max_num_seqs until it stops; then give KV more memory or add a worker.",
			Bad:     []alert.Series{data(s, signal.Preemptions, alert.Rising(0.5), worker()...)},
			Good:    []alert.Series{data(s, signal.Preemptions, alert.Rising(0), worker()...)}},
		{Name: "InferenceKVThrashing", Severity: alert.Info, For: 10 * time.Minute,
			Value: regret, Condition: "> 0.3",
			Summary: "{{ $value | humanizePercentage }} of the prompt tokens that " + of + " stores were evicted shortly before",
			Meaning: "Prefixes are evicted and come back: the cache is too small for what is shared, or the router scatters what belongs together.",
			Look:    "Dashboard KV cache: the curve of hit ratio by size, and what was stored while another worker had it.",
			Action:  "Route by prefix where another worker had it; else offload to host memory or enlarge the cache, as far as the curve still rises.",
			Bad:     []alert.Series{stored, data(s, signal.KVRegretTokens, alert.Rising(600), worker()...)},
			Good:    []alert.Series{stored, data(s, signal.KVRegretTokens, alert.Rising(20), worker()...)}},
	}
}
