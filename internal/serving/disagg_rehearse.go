package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// Topology is how a fleet's worker groups are divided. Either Aggregated or the other two are 0.
type Topology struct{ Prefill, Decode, Aggregated int }

// Groups is the number of worker groups.
func (t Topology) Groups() int { return t.Prefill + t.Decode + t.Aggregated }

// besides reports whether the split is the other one or differs by one group.
func (t Topology) besides(other Topology) bool {
	by := t.Prefill - other.Prefill
	return t.Groups() == other.Groups() && t.Aggregated == other.Aggregated && by >= -1 && by <= 1
}

// Split reports whether the phases have workers of their own.
func (t Topology) Split() bool { return t.Prefill > 0 && t.Decode > 0 }

// Limits are the latency objectives that every request is held to, in s.
type Limits struct{ TTFT, ITL float64 }

// Moves is what handing a prompt's KV to a decode worker costs.
type Moves struct {
	Base      float64 // s a transfer
	PerToken  float64 // s for the KV of a token, on one path, ranks in parallel
	SlowShare float64 // of the transfers, those that take the slow path
	Slow      float64 // s for the KV of a token there
}

// seconds is how long the KV of tokens is on the way.
func (m Moves) seconds(tokens float64, slow bool) float64 {
	if slow {
		return m.Base + m.Slow*tokens
	}
	return m.Base + m.PerToken*tokens
}

// Capability is what a worker group can do, and what is wrong with the hand-over.
type Capability struct {
	Cost      StepCost
	Budget    float64 // tokens a step of a worker that prefills
	Sequences float64 // most requests in a step
	KVTokens  float64 // most tokens of context of a worker; 0: no limit
	Moves     Moves
	Leak      Leak
}

// Rehearsal is a forecast: what a workload would meet on a topology.
type Rehearsal struct {
	Goodput        float64 // requests/s that meet both limits
	Attained       float64 // share of the requests that do
	TTFT50, TTFT90 float64 // s
	ITL50, ITL99   float64 // s, over tokens
	PrefillBusy    float64 // share of time that workers with prompts run steps
	DecodeBusy     float64 // likewise of those that decode
}

// rehearsalSeed makes every rehearsal meet the same requests, so that differences are those of what is compared.
const rehearsalSeed = 1

const (
	// minRehearsed and maxRehearsed bound the requests of a rehearsal, which otherwise lasts rehearsedSeconds.
	minRehearsed     = 1500
	maxRehearsed     = 9000
	rehearsedSeconds = 90
	// edgeStays is how many mean stays of a request are left out at either end of a rehearsal: workers fill up from empty, and after the last
	// arrival nobody's tokens wait for prompts any more. At most edgeShare of the requests at each end are.
	edgeStays = 2
	edgeShare = 1.0 / 3
)

// Rehearse plays a workload on a topology with the deployment's fitted costs, request by request. ok is false when the deployment or
// the workload cannot be played.
//
// It is the queue model of docs/disaggregation.md: arrivals go to the worker with the fewest requests, steps batch what is there, KV
// travels in order of prompts computed, and an answer's tokens come with the steps of its worker. Nothing of it is measured on the fleet
// but the parameters; nothing of it knows how long a step of a real or a simulated GPU takes but by these.
func Rehearse(d Capability, w Workload, t Topology, limits Limits) (out Rehearsal, ok bool) {
	p, ok := d.play(w, t)
	if !ok {
		return Rehearsal{}, false
	}
	out = p.outcome(limits)
	if over := d.overload(w, t); over > 1 {
		out.overloaded(over, limits)
	}
	return out, true
}

// Paces rehearses the situation's workload on the current topology and returns the mean time between tokens of each request with more than one,
// s, in ascending order: how they are distributed, which buckets of a histogram do not tell.
func (s *Situation) Paces() []float64 {
	p, ok := s.play(s.Workload, s.Current)
	if !ok {
		return nil
	}
	var out []float64
	for _, r := range p.counted() {
		if r.output > 1 {
			out = append(out, (r.last-r.first)/(r.output-1))
		}
	}
	slices.Sort(out)
	return out
}

func (d Capability) play(w Workload, t Topology) (*play, bool) {
	if !d.Cost.valid() || !w.valid() || t.Groups() < 1 || t.Split() == (t.Aggregated > 0) || !(d.Budget >= 1) || !(d.Sequences >= 1) {
		return nil, false
	}
	n := int(max(minRehearsed, min(maxRehearsed, rehearsedSeconds*w.Rate)))
	p := newPlay(d, w, n, rehearsalSeed)
	if t.Split() {
		p.split(t)
	} else {
		p.busyPrefill = p.pool(t.Aggregated, false, p.requests, func(r *rehearsed) (float64, float64) { return r.arrival, r.prompt })
		p.busyDecode = p.busyPrefill
	}
	return p, true
}

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
	moving := (1-d.Moves.SlowShare)*d.Moves.seconds(w.Prompt.Mean, false) + d.Moves.SlowShare*d.Moves.seconds(w.Prompt.Mean, true)
	return max(
		w.Rate*(1-d.Leak.Tokens)*prefill/float64(t.Prefill), (w.Rate*decode+leaked)/float64(t.Decode),
		w.Rate*(1-d.Leak.Tokens)*moving/float64(min(t.Prefill, t.Decode)),
	)
}

// play is a rehearsal under way.
type play struct {
	Capability
	rate     float64
	requests []*rehearsed
	random   *rand.Rand
	tokens   tokenTimes

	busyPrefill, busyDecode float64
}

func newPlay(d Capability, w Workload, n int, seed uint64) *play {
	random := rand.New(rand.NewPCG(seed, seed))
	p := &play{Capability: d, rate: w.Rate, random: random}
	arrivals := w.arrivals(n, random)
	prompts, outputs := w.Prompt.sample(n, random), w.Output.sample(n, random)
	leaked := d.Leak.among(prompts, random)
	all := make([]rehearsed, n)
	p.requests = make([]*rehearsed, n)
	for i := range all {
		all[i] = rehearsed{
			arrival: arrivals[i], prompt: max(1, prompts[i]*(1-w.Hit)), context: prompts[i], output: outputs[i],
			leaked: leaked(prompts[i]),
		}
		p.requests[i] = &all[i]
	}
	return p
}

// split plays the prefill workers, the transfers and the decode workers, one after the other: nothing flows back.
func (p *play) split(t Topology) {
	var front []*rehearsed
	for _, r := range p.requests {
		if !r.leaked {
			front = append(front, r)
		}
	}
	p.busyPrefill = p.pool(t.Prefill, true, front, func(r *rehearsed) (float64, float64) { return r.arrival, r.prompt })
	p.transfers(t, front)
	for _, r := range p.requests {
		if r.leaked {
			r.ready = r.arrival
		}
	}
	order := slices.Clone(p.requests)
	slices.SortFunc(order, func(a, b *rehearsed) int {
		return cmp.Or(cmp.Compare(a.ready, b.ready), cmp.Compare(a.arrival, b.arrival))
	})
	p.busyDecode = p.pool(t.Decode, false, order, func(r *rehearsed) (float64, float64) {
		if r.leaked {
			return r.ready, r.prompt
		}
		return r.ready, 1
	})
}

// transfers finds when each prompt's KV is at its decode worker. The links of the smaller side carry one transfer at a time each.
func (p *play) transfers(t Topology, front []*rehearsed) {
	order := slices.Clone(front)
	slices.SortFunc(order, func(a, b *rehearsed) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.arrival, b.arrival))
	})
	links := make([]float64, min(t.Prefill, t.Decode))
	for _, r := range order {
		free := 0
		for i := range links {
			if links[i] < links[free] {
				free = i
			}
		}
		slow := p.random.Float64() < p.Moves.SlowShare
		links[free] = max(links[free], r.first) + p.Moves.seconds(r.context, slow)
		r.ready = links[free]
	}
}

// pool plays a pool of workers; of tells when a request is theirs and how many prompt tokens they compute. Requests come in that
// order. It returns the share of time they were busy.
func (p *play) pool(workers int, prefill bool, requests []*rehearsed, of func(*rehearsed) (at, tokens float64)) float64 {
	desks := make([]desk, workers)
	for i := range desks {
		desks[i] = desk{cost: p.Cost, budget: p.Budget, seats: p.Sequences, kv: p.KVTokens, prefill: prefill, finished: func(*rehearsed) {}}
		if !prefill {
			desks[i].steps = p.tokens.add
		}
	}
	var begin, end float64
	for i, r := range requests {
		at, tokens := of(r)
		if i == 0 {
			begin = at
		}
		end = at
		least := 0
		for j := range desks {
			if desks[j].now < at && desks[j].load() > 0 {
				desks[j].advance(at)
			}
			if desks[j].load() < desks[least].load() || desks[j].load() == desks[least].load() && desks[j].busy < desks[least].busy {
				least = j
			}
		}
		desks[least].submit(r, at, tokens)
	}
	var busy float64
	for j := range desks {
		busy += min(desks[j].busy, end-begin)
	}
	for j := range desks {
		desks[j].steps = nil // the end of the play is no ordinary load
		desks[j].advance(1e18)
	}
	if end <= begin {
		return 0
	}
	return busy / (end - begin) / float64(workers)
}

// counted are the requests that met the workers as full as they are all the time.
func (p *play) counted() []*rehearsed {
	most := int(edgeShare * float64(len(p.requests)))
	from, stay := 0, p.stay(most, most)
	for begin := p.requests[0].arrival; from < most && p.requests[from].arrival < begin+stay; {
		from++
	}
	return p.requests[from:p.lastCounted(stay, most)]
}

// stay is edgeStays mean stays of the requests between so many at either end, s.
func (p *play) stay(first, last int) (stay float64) {
	between := p.requests[first : len(p.requests)-last]
	for _, r := range between {
		stay += r.last - r.arrival
	}
	return stay * edgeStays / float64(len(between))
}

// lastCounted leaves out the requests that came within a stay of the end, at most so many.
func (p *play) lastCounted(stay float64, most int) int {
	n := len(p.requests)
	to := n
	for end := p.requests[n-1].arrival; to > n-most && p.requests[to-1].arrival > end-stay; {
		to--
	}
	return to
}

// outcome judges them.
func (p *play) outcome(limits Limits) Rehearsal {
	counted := p.counted()
	ttft := make([]float64, len(counted))
	met := 0.0
	for i, r := range counted {
		ttft[i] = r.first - r.arrival
		late := limits.TTFT > 0 && ttft[i] > limits.TTFT
		slow := limits.ITL > 0 && r.last-r.first > limits.ITL*(r.output-1)
		if !late && !slow {
			met++
		}
	}
	slices.Sort(ttft)
	at := func(q float64) float64 { return ttft[min(len(ttft)-1, int(q*float64(len(ttft))))] }
	share := met / float64(len(counted))
	return Rehearsal{
		Goodput: share * p.rate, Attained: share, TTFT50: at(0.5), TTFT90: at(0.9),
		ITL50: p.tokens.quantile(0.5), ITL99: p.tokens.quantile(0.99),
		PrefillBusy: p.busyPrefill, DecodeBusy: p.busyDecode,
	}
}
