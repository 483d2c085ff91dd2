package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

// overloadLasts is how long an overload is taken to have lasted, s. A rehearsal is too short for a small one to show.
const overloadLasts = 600

// overloaded lets a queue grow that a rehearsal is too short for: over is the load over the capacity. Requests wait 1 - 1/over of the time
// since it began, so that they meet the limit only in the beginning.
func (r *Rehearsal) overloaded(over float64, limits Limits) {
	growth := 1 - 1/over
	if limits.TTFT > 0 {
		inTime := min(1, limits.TTFT/growth/overloadLasts)
		r.Attained *= inTime
		r.Goodput *= inTime
	}
	r.TTFT50 = max(r.TTFT50, 0.5*growth*overloadLasts)
	r.TTFT90 = max(r.TTFT90, 0.9*growth*overloadLasts)
}

// overload is the load of the busier phase, or of the links between them, over what it can take with all seats and blocks in use, whatever the
// latency.
func (d *Capability) overload(w Workload, t Topology) float64 {
	prompt, output := max(1, w.Prompt.Mean*(1-w.Hit)), max(1, w.Output.Mean)
	batch := d.Sequences
	context := w.Prompt.Mean + output/2
	if d.KVTokens > 0 {
		batch = max(1, min(batch, d.KVTokens/context))
	}
	prefill := d.Cost.Prefill*prompt/d.Budget + d.Cost.Token*prompt    // s of a worker for a prompt
	decode := output * d.Cost.Seconds(0, batch, batch*context) / batch // and for an answer
	if !t.Split() {
		return w.Rate * (prefill + decode) / float64(t.Aggregated)
	}
	leaked := w.Rate * d.Leak.Tokens * prefill
	return max(
		w.Rate*(1-d.Leak.Tokens)*prefill/float64(t.Prefill), (w.Rate*decode+leaked)/float64(t.Decode), d.linksBusy(w, t),
	)
}

// linksBusy is the share of time that the links of the smaller side carry a transfer; above 1 there is more to carry than they can.
func (d *Capability) linksBusy(w Workload, t Topology) float64 {
	moving := (1-d.Moves.SlowShare)*d.Moves.seconds(w.Prompt.Mean, false) + d.Moves.SlowShare*d.Moves.seconds(w.Prompt.Mean, true)
	return w.Rate * (1 - d.Leak.Tokens) * moving / float64(min(t.Prefill, t.Decode))
}
