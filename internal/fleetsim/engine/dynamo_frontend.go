package engine

import (
	"fmt"
	"io"
	"math"
	"time"
)

// Frontend keeps the statistics of a front end before a fleet, which sees requests from end to end. It is not safe for
// concurrent use.
type Frontend interface {
	Page
	// Arrived is told of a request that a client sent: it is in flight and, until its first token, queued.
	Arrived(*Request)
	// FirstToken is told when the client gets a request's first token.
	FirstToken(*Request)
	// Intervals is told that n clients got a further token that long after their previous one.
	Intervals(d time.Duration, n int)
	// Finished is told of a request's last token, or with Aborted of a client that went away before it.
	Finished(*Request)
	// Worker is told what the router knows of a worker.
	Worker(WorkerLoad)
	// Pending is told how many requests wait in the router for a worker of a role.
	Pending(role string, n int)
}

// WorkerLoad is a worker as the router sees it.
type WorkerLoad struct {
	ID            string // identity that a restarted worker does not keep
	Rank          int
	Role          string // aggregated, prefill or decode
	DecodeBlocks  int    // KV blocks of the requests it decodes
	PrefillTokens int    // prompt tokens it has still to compute
	// Of the last request that it answered; 0 before.
	LastFirstToken time.Duration
	LastInterval   time.Duration
	LastPrompt     int // tokens
}

// NewFrontend opens the book of a front end that has just started, before workers that know the given facts of themselves.
func NewFrontend(name string, f Facts) (Frontend, error) {
	if name != NameDynamo {
		return nil, fmt.Errorf("front end: got %q, known is %s", name, NameDynamo)
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("front end %s: %w", name, err)
	}
	return newDynamo(f), nil
}

// dynamo is the front end of Dynamo 1.x.
type dynamo struct {
	facts Facts
	sheet *sheet

	queued, inFlight, gone            float64
	answered, cancelled, outputTokens float64
	duration, ttft, itl               histogram
	inputs, outputs, cached           histogram

	workers map[workerKey]*workerGauges
	pending map[string]*float64 // by role
}

// workerKey tells series of workers apart.
type workerKey struct {
	id   string
	rank int
	role string
}

// workerGauges are what is shown of a worker. Those of workers that are gone stay.
type workerGauges struct{ blocks, tokens, ttft, itl, prompt float64 }

// newDynamo makes the front end; ranges of the bounds are the defaults of lib/llm/src/http/service/metrics.rs at 0014908.
func newDynamo(f Facts) *dynamo {
	prompt := logBounds(50, 128000, 12)
	d := &dynamo{
		facts:    f,
		duration: newHistogram(logBounds(1, 512, 10)), ttft: newHistogram(logBounds(0.001, 480, 18)), itl: newHistogram(logBounds(0.001, 2, 13)),
		inputs: newHistogram(prompt), cached: newHistogram(prompt), outputs: newHistogram(logBounds(50, 32000, 10)),
		workers: make(map[workerKey]*workerGauges), pending: make(map[string]*float64),
	}
	d.sheet = newDynamoSheet(d)
	return d
}

func (d *dynamo) Arrived(*Request) {
	d.inFlight++
	d.queued++
}

func (d *dynamo) FirstToken(r *Request) {
	d.queued--
	d.outputTokens++
	d.ttft.observe((r.FirstToken - r.Arrival).Seconds())
	d.inputs.observe(float64(r.PromptTokens))
	d.cached.observe(float64(r.CachedTokens))
}

func (d *dynamo) Intervals(t time.Duration, n int) {
	d.outputTokens += float64(n)
	d.itl.observeN(t.Seconds(), n)
}

func (d *dynamo) Finished(r *Request) {
	d.inFlight--
	d.duration.observe((r.LastToken - r.Arrival).Seconds())
	if r.GeneratedTokens > 0 {
		d.outputs.observe(float64(r.GeneratedTokens))
	}
	if !r.Aborted {
		d.answered++
		return
	}
	d.cancelled++
	d.gone++
	if r.GeneratedTokens == 0 {
		d.queued--
	}
}

func (d *dynamo) Worker(w WorkerLoad) {
	key := workerKey{w.ID, w.Rank, w.Role}
	g, ok := d.workers[key]
	if !ok {
		g = &workerGauges{}
		d.workers[key] = g
		d.sheet.addWorker(key, g)
	}
	g.blocks, g.tokens = float64(w.DecodeBlocks), float64(w.PrefillTokens)
	g.ttft, g.itl, g.prompt = w.LastFirstToken.Seconds(), w.LastInterval.Seconds(), float64(w.LastPrompt)
}

func (d *dynamo) Pending(role string, n int) {
	at, ok := d.pending[role]
	if !ok {
		at = new(float64)
		d.pending[role] = at
		d.sheet.addPending(role, at)
	}
	*at = float64(n)
}

func (d *dynamo) WritePage(w io.Writer) error { return d.sheet.writeTo(w) }

func (d *dynamo) ContentType() string { return d.sheet.form.mediaType }

func (d *dynamo) Endpoints() []Endpoint {
	return []Endpoint{
		{Path: "/metrics", ContentType: d.ContentType(), Write: d.WritePage},
		document("/health", map[string]any{"status": "healthy"}),
		document("/v1/models", modelList(d.facts, "nvidia")),
	}
}

// logBounds lists 0 and n-1 bounds that are evenly spaced by their logarithms, rounded to two digits, up to the greatest.
func logBounds(least, greatest float64, n int) []float64 {
	out := []float64{0}
	for i := 1; i < n; i++ {
		v := least * math.Pow(greatest/least, float64(i)/float64(n-1))
		scale := math.Pow(10, 1-math.Floor(math.Log10(v)))
		if v = math.Round(v*scale) / scale; v != out[len(out)-1] {
			out = append(out, v)
		}
	}
	return out
}
