package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// stage is where the rehearsals of one situation are played. They differ in costs, topology and the scale of their workload, and meet the same
// requests: chance is drawn once for all of them, what was rehearsed before is remembered, and all share one room. It is not safe for
// concurrent use.
type stage struct {
	prompt, output Lengths // that the scripts are drawn from
	scripts        map[scriptKey]*script
	known          map[performance]Rehearsal
	cells          *tokenCells

	requests []rehearsed // the room: of the play under way
	visits   []visit
	desks    []desk
	links    []float64
	ttft     []float64
}

func newStage() *stage {
	return &stage{scripts: map[scriptKey]*script{}, known: map[performance]Rehearsal{}, cells: newTokenCells()}
}

// script is the chance in a rehearsal: n requests before their rate and mean lengths are known.
type script struct {
	gaps            []float64 // between arrivals
	prompts         draft
	outputs         draft
	leaks, branches []float64 // 0..1; what decides whether a request leaks, and whether a transfer takes the slow path
	turn            int       // by how many requests the prompts begin later, and the outputs by twice as many
}

// another is the same workload as it might come as well: arrivals are drawn anew, and the same prompts and outputs meet in another order, which
// costs nothing.
func (s *script) another(w Workload, draw int, random *rand.Rand) *script {
	n := len(s.gaps)
	return &script{
		gaps: w.gaps(n, random), prompts: s.prompts, outputs: s.outputs, leaks: s.leaks, branches: s.branches, turn: draw * n / (2*draws + 1),
	}
}

// lengths are those of the prompt and the output of a request.
func (s *script) lengths(i int, prompts, outputs float64) (prompt, output float64) {
	n := len(s.gaps)
	return s.prompts.length((i+s.turn)%n, prompts), s.outputs.length((i+2*s.turn)%n, outputs)
}

// scriptKey is what a script depends on, besides the shapes of lengths.
type scriptKey struct {
	n          int
	dispersion float64
	seed       uint64
	draw       int
}

// performance is all that a rehearsal depends on, besides the shapes of lengths.
type performance struct {
	Capability
	Topology
	Limits
	rate, dispersion, hit, prompt, output float64
	draw                                  int
}

// rehearse plays a workload on a topology, or remembers what came of it.
func (s *stage) rehearse(d Capability, w Workload, t Topology, limits Limits) (out Rehearsal, ok bool) {
	if !d.plays(w, t) {
		return Rehearsal{}, false
	}
	s.shaped(w)
	as := performance{d, t, limits, w.Rate, w.Dispersion, w.Hit, w.Prompt.Mean, w.Output.Mean, w.draw}
	if out, ok = s.known[as]; ok {
		return out, true
	}
	out = s.play(d, w, t).outcome(limits)
	if over := d.overload(w, t); over > 1 {
		out.overloaded(over, limits)
	}
	s.known[as] = out
	return out, true
}

// shaped forgets everything when lengths are distributed otherwise than those before.
func (s *stage) shaped(w Workload) {
	if s.prompt.alike(w.Prompt) && s.output.alike(w.Output) {
		return
	}
	s.prompt, s.output = w.Prompt.copied(), w.Output.copied()
	clear(s.scripts)
	clear(s.known)
}

// alike reports whether two distributions differ in their means at most.
func (l Lengths) alike(o Lengths) bool {
	return slices.Equal(l.Bounds, o.Bounds) && slices.Equal(l.Counts, o.Counts)
}

func (l Lengths) copied() Lengths {
	return Lengths{Bounds: slices.Clone(l.Bounds), Counts: slices.Clone(l.Counts), Mean: l.Mean}
}

// script draws n requests, or remembers them.
func (s *stage) script(w Workload, n int, seed uint64) *script {
	key := scriptKey{n, w.Dispersion, seed, w.draw}
	if known := s.scripts[key]; known != nil {
		return known
	}
	if draw := w.draw; draw > 0 {
		w.draw = 0
		one := s.script(w, n, seed).another(w, draw, rand.New(rand.NewPCG(seed, uint64(draw)<<32)))
		s.scripts[key] = one
		return one
	}
	random := rand.New(rand.NewPCG(seed, seed))
	one := &script{gaps: w.gaps(n, random), prompts: w.Prompt.draft(n, random), outputs: w.Output.draft(n, random)}
	one.leaks, one.branches = uniform(n, random), uniform(n, random)
	s.scripts[key] = one
	return one
}

func uniform(n int, random *rand.Rand) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = random.Float64()
	}
	return out
}

// newPlay has n requests of the workload enter.
func (s *stage) newPlay(d Capability, w Workload, n int, seed uint64) *play {
	s.shaped(w)
	script := s.script(w, n, seed)
	s.requests = slices.Grow(s.requests[:0], n)[:n]
	var total float64
	for _, gap := range script.gaps {
		total += gap
	}
	// Of exactly the rate, so that one draw cannot make a fleet look more loaded than another.
	scale := float64(n) / w.Rate / total
	prompts, outputs := script.prompts.scale(w.Prompt.Mean), script.outputs.scale(w.Output.Mean)
	var at float64
	for i := range s.requests {
		at += script.gaps[i] * scale
		context, output := script.lengths(i, prompts, outputs)
		s.requests[i] = rehearsed{arrival: at, prompt: max(1, context*(1-w.Hit)), context: context, output: output}
	}
	d.Leak.mark(s.requests, script.leaks)
	return &play{Capability: d, stage: s, workload: w, requests: s.requests, branches: script.branches, tokens: tokenTimes{cells: s.cells}}
}

// idle are so many workers that have nothing to do yet.
func (s *stage) idle(workers int) []desk {
	if len(s.desks) < workers {
		s.desks = append(s.desks, make([]desk, workers-len(s.desks))...)
	}
	desks := s.desks[:workers]
	for i := range desks {
		desks[i].clear()
	}
	return desks
}

// visit is a request at a pool of workers: when it comes, and how many prompt tokens they compute.
type visit struct {
	at, tokens float64
	request    int32
}

// inOrder sorts visits by time and, where that is equal, by arrival. They are nearly sorted, since they come from one queue, and then a place
// is found for each in a few steps; where they are not after all, they are sorted as anything else.
func inOrder(visits []visit) {
	const most = 32 // steps for each visit
	steps := 0
	for i := 1; i < len(visits); i++ {
		one, to := visits[i], i
		for ; to > 0 && visits[to-1].after(one); to-- {
			visits[to] = visits[to-1]
		}
		visits[to] = one
		if steps += i - to; steps > most*len(visits) {
			slices.SortFunc(visits, func(a, b visit) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.request, b.request)) })
			return
		}
	}
}

func (v visit) after(o visit) bool { return v.at > o.at || v.at == o.at && v.request > o.request }
