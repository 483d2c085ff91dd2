package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"fmt"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/words"
)

// wording is a verdict in words. The page, the API and anything else show it as it is.
type wording struct {
	title     string   // the verdict itself, a sentence of a few words
	detail    string   // what it shows in, with numbers
	direction string   // where relief has to come from, in general words
	also      []string // what else holds
	waitsFor  string   // what a preliminary verdict waits for
}

// word puts the leading candidate and what stands beside it into words.
func word(cs []candidate, b balance, f fleetFacts) wording {
	lead := cs[0]
	w := wording{title: title(lead.code, f), direction: direction(lead.code, b, f)}
	switch lead.code {
	case codePrefillBound:
		w.detail = boundDetail(f, "TTFT", f.ttft, func(w workerFacts) limit { return w.ttft })
	case codeDecodeBound:
		w.detail = boundDetail(f, "ITL", f.itl, func(w workerFacts) limit { return w.itl })
	case codeBalanced:
		w.detail = bothDetail(f)
	case codeIdle:
		w.detail = idleDetail(f)
	case codeUnknown:
		w.detail = unknownDetail(f)
	}
	w.also = asides(cs[1:], f)
	w.waitsFor = waitsFor(lead, b, f)
	return w
}

func title(c code, f fleetFacts) string {
	switch c {
	case codeWorkersDown:
		down, all := f.down, f.total()
		if all == 1 {
			return "The worker is down."
		}
		return fmt.Sprintf("%d of %d workers %s down.", down, all, words.Plural(down, "is", "are"))
	case codePrefillBound:
		return "Prefill-bound."
	case codeDecodeBound:
		return "Decode-bound."
	case codeBalanced:
		if f.met() {
			return "On target."
		}
		return "Balanced."
	case codeIdle:
		return "Idle."
	}
	if withheldReason(f.counted) != "" {
		return "Withheld."
	}
	if len(f.counted) == 0 {
		return "No data."
	}
	if f.observed >= patience {
		return "No estimate."
	}
	return "Too early to tell."
}

// boundDetail says how many workers miss the objective of the phase, and by how much the fleet does.
func boundDetail(f fleetFacts, name string, l limit, of func(workerFacts) limit) string {
	missing, decided := 0, 0
	for _, w := range f.counted {
		missed, ok := of(w).missed()
		if ok {
			decided++
		}
		if missed {
			missing++
		}
	}
	switch {
	case !l.known || !l.objective.ok:
		return "The objectives are not known yet; this is read from where requests wait."
	case missing == 0:
		return fmt.Sprintf("No worker misses the %s objective yet: %s.", name, against("", l))
	case len(f.counted) == 1:
		return fmt.Sprintf("The worker misses the %s objective: %s.", name, against("", l))
	}
	return fmt.Sprintf("%d of %d workers %s the %s objective: %s.", missing, decided, words.Plural(missing, "misses", "miss"), name, against("", l))
}

// bothDetail says how both latencies stand against their objectives.
func bothDetail(f fleetFacts) string {
	var parts []string
	misses := 0
	for i, l := range []limit{f.ttft, f.itl} {
		if !l.known || !l.objective.ok {
			continue
		}
		parts = append(parts, against([]string{"TTFT", "ITL"}[i], l))
		if missed, _ := l.missed(); missed {
			misses++
		}
	}
	if len(parts) == 0 {
		return "Both phases are under the same pressure."
	}
	lead := "Objectives are met: "
	switch misses {
	case 2:
		lead = "Both objectives are missed: "
	case 1:
		lead = "One objective is missed: "
	}
	return lead + strings.Join(parts, ", ") + "."
}

func idleDetail(f fleetFacts) string {
	if f.observed < fullWindow {
		return fmt.Sprintf("No requests in the first %d s.", int(f.observed.Seconds()))
	}
	return "No requests in the last minute."
}

func unknownDetail(f fleetFacts) string {
	ws := f.counted
	if len(ws) == 0 {
		if f.total() == 1 {
			return "The worker has fallen silent."
		}
		return fmt.Sprintf("All %d workers have fallen silent.", f.total())
	}
	if reason := withheldReason(ws); reason != "" {
		return "No phase estimate: " + strings.ReplaceAll(reason, "_", " ") + "."
	}
	return fmt.Sprintf("%d %s, none with an estimate yet.", len(ws), words.Plural(len(ws), "worker reports", "workers report"))
}

// beside is what is said of a candidate beside the verdict.
func beside(c code, f fleetFacts) string {
	switch {
	case c != codeBalanced:
		return title(c, f)
	case f.met():
		return "Objectives are met."
	}
	return "Prefill and decode are in balance."
}

// asides says in one sentence each what holds beside the verdict.
func asides(rest []candidate, f fleetFacts) []string {
	also := []string{}
	for _, c := range rest {
		also = append(also, beside(c.code, f))
	}
	if n := f.stale; n > 0 && n < f.total() {
		also = append(also, fmt.Sprintf("%d of %d workers %s silent and not counted.", n, f.total(), words.Plural(n, "is", "are")))
	}
	without, estimated := 0, 0
	for _, w := range f.counted {
		if w.imbalance.ok {
			estimated++
		} else {
			without++
		}
	}
	if without > 0 && estimated > 0 {
		also = append(also, fmt.Sprintf("%d of %d workers %s no estimate.", without, without+estimated, words.Plural(without, "has", "have")))
	}
	return also
}

// waitsFor says what a preliminary verdict waits for, "" for a final one.
func waitsFor(lead candidate, b balance, f fleetFacts) string {
	if standingOf(lead, b, f) != standingPreliminary || len(f.counted) == 0 {
		return ""
	}
	if lead.code != codeIdle && (b.basis == basisEarly || lead.code == codeUnknown) {
		if f.observed >= patience {
			return "phase estimates. None has arrived: is phase_attribution in the pipeline before inference_dashboard?"
		}
		return "the first phase estimates"
	}
	return fmt.Sprintf("a full minute of data, %d s more", int((fullWindow-f.observed+time.Second-1)/time.Second))
}

// against writes a latency beside its objective, such as "TTFT p90 812 ms against 500 ms (implied)".
func against(name string, l limit) string {
	text := strings.TrimSpace(name + " " + words.Quantile(l.quantile) + " ")
	if l.at.Over {
		text += " above"
	}
	text += " " + words.Seconds(l.at.Value) + " against " + words.Seconds(l.objective.value)
	if l.implied {
		text += " (implied)"
	}
	return text
}
