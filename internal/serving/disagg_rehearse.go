package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import "slices"

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

// Rehearse plays the situation's workload on a topology with the deployment's fitted costs, request by request. ok is false when the deployment
// or the workload cannot be played.
//
// It is the queue model of docs/disaggregation.md: arrivals go to the worker with the fewest requests, steps batch what is there, KV
// travels in order of prompts computed, and an answer's tokens come with the steps of its worker. Nothing of it is measured on the fleet
// but the parameters; nothing of it knows how long a step of a real or a simulated GPU takes but by these.
func (s *Situation) Rehearse(t Topology) (out Rehearsal, ok bool) {
	return s.staged().rehearse(s.Capability, s.Workload, t, s.Limits)
}

// staged returns the stage of the situation and of all that are copied from it from then on.
func (s *Situation) staged() *stage {
	if s.stage == nil {
		s.stage = newStage()
	}
	return s.stage
}

// Paces rehearses the situation's workload on the current topology and returns the mean time between tokens of each request with more than one,
// s, in ascending order: how they are distributed, which buckets of a histogram do not tell.
func (s *Situation) Paces() []float64 {
	if !s.plays(s.Workload, s.Current) {
		return nil
	}
	var out []float64
	for _, r := range s.staged().play(s.Capability, s.Workload, s.Current).counted() {
		if r.output > 1 {
			out = append(out, (r.last-r.first)/(r.output-1))
		}
	}
	slices.Sort(out)
	return out
}

// plays reports whether a workload can be played on a topology.
func (d *Capability) plays(w Workload, t Topology) bool {
	return d.Cost.valid() && w.valid() && t.Groups() >= 1 && t.Split() != (t.Aggregated > 0) && d.Budget >= 1 && d.Sequences >= 1
}

// play plays a workload on a topology.
func (s *stage) play(d Capability, w Workload, t Topology) *play {
	n := int(max(minRehearsed, min(maxRehearsed, rehearsedSeconds*w.Rate)))
	p := s.newPlay(d, w, n, rehearsalSeed)
	if t.Split() {
		p.split(t)
	} else {
		p.together(t.Aggregated)
	}
	return p
}

// play is a rehearsal under way. It is over when the next one begins on its stage.
type play struct {
	Capability
	stage    *stage
	workload Workload
	requests []rehearsed // in order of arrival
	branches []float64   // 0..1, of each transfer
	tokens   tokenTimes

	busyPrefill, busyDecode float64
	moving                  float64 // mean time between a prompt and its KV, s
}

// together plays workers whose phases share their steps.
func (p *play) together(workers int) {
	visits := p.stage.visits[:0]
	for i := range p.requests {
		visits = append(visits, visit{at: p.requests[i].arrival, tokens: p.requests[i].prompt, request: int32(i)})
	}
	p.stage.visits = visits
	p.busyPrefill = p.pool(workers, false, visits)
	p.busyDecode = p.busyPrefill
}

// split plays the prefill workers, the transfers and the decode workers, one after the other: nothing flows back.
func (p *play) split(t Topology) {
	visits := p.stage.visits[:0]
	for i := range p.requests {
		if r := &p.requests[i]; !r.leaked {
			visits = append(visits, visit{at: r.arrival, tokens: r.prompt, request: int32(i)})
		}
	}
	p.busyPrefill = p.pool(t.Prefill, true, visits)
	p.transfers(t, visits)
	visits = visits[:0]
	for i := range p.requests {
		r := &p.requests[i]
		if r.leaked {
			r.ready = r.arrival
			visits = append(visits, visit{at: r.ready, tokens: r.prompt, request: int32(i)})
		} else {
			visits = append(visits, visit{at: r.ready, tokens: 1, request: int32(i)})
		}
	}
	inOrder(visits)
	p.stage.visits = visits
	p.busyDecode = p.pool(t.Decode, false, visits)
}

// transfers finds when each prompt's KV is at its decode worker. The links of the smaller side carry one transfer at a time each.
func (p *play) transfers(t Topology, front []visit) {
	for i := range front {
		front[i].at = p.requests[front[i].request].first
	}
	inOrder(front)
	p.stage.links = append(p.stage.links[:0], make([]float64, min(t.Prefill, t.Decode))...)
	links, wait := p.stage.links, 0.0
	if p.Moves.Wait > 0 {
		wait = p.Moves.Wait * p.decodeStep(p.workload, t)
	}
	for n, v := range front {
		free := 0
		for i := range links {
			if links[i] < links[free] {
				free = i
			}
		}
		r := &p.requests[v.request]
		links[free] = max(links[free], r.first) + p.Moves.seconds(r.context, p.branches[n] < p.Moves.SlowShare)
		r.ready = links[free] + wait
		p.moving += (r.ready - r.first) / float64(len(front))
	}
}

// pool plays a pool of workers, which requests visit in that order. It returns the share of time they were busy.
func (p *play) pool(workers int, prefill bool, visits []visit) float64 {
	desks := p.stage.idle(workers)
	for i := range desks {
		d := &desks[i]
		d.cost, d.budget, d.seats, d.kv, d.prefill, d.requests = p.Cost, p.Budget, p.Sequences, p.KVTokens, prefill, p.requests
		if !prefill {
			d.tokens = &p.tokens
		}
	}
	for _, v := range visits {
		var least *desk
		for j := range desks {
			d := &desks[j]
			if d.load > 0 && d.now < v.at {
				d.advance(v.at)
			}
			if least == nil || d.load < least.load || d.load == least.load && d.busy < least.busy {
				least = d
			}
		}
		least.submit(v)
	}
	var begin, end, busy float64
	if len(visits) > 0 {
		begin, end = visits[0].at, visits[len(visits)-1].at
	}
	for j := range desks {
		busy += min(desks[j].busy, end-begin)
	}
	for j := range desks {
		desks[j].tokens = nil // the end of the play is no ordinary load
		desks[j].advance(1e18)
	}
	if end <= begin {
		return 0
	}
	return busy / (end - begin) / float64(workers)
}

// counted are the requests that met the workers as full as they are all the time.
func (p *play) counted() []rehearsed {
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
	for i := range between {
		stay += between[i].last - between[i].arrival
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
	p.stage.ttft = slices.Grow(p.stage.ttft[:0], len(counted))[:len(counted)]
	ttft := p.stage.ttft
	met := 0.0
	for i := range counted {
		r := &counted[i]
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
		Goodput: share * p.workload.Rate, Attained: share, TTFT50: at(0.5), TTFT90: at(0.9),
		ITL50: p.tokens.quantile(0.5), ITL99: p.tokens.quantile(0.99),
		PrefillBusy: p.busyPrefill, DecodeBusy: p.busyDecode,
	}
}
