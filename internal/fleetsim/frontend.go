package fleetsim

import (
	"strconv"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// FrontEnd is the book of the front end before the fleet (Config.FrontEnd), brought up to the simulated time reached; nil without one.
func (f *Fleet) FrontEnd() engine.Frontend {
	if f.frontEnd == nil {
		return nil
	}
	for _, w := range f.workers {
		if !w.down {
			f.frontEnd.Worker(w.seenByRouter(f.cfg.Seed))
		}
	}
	f.frontEnd.Pending(string(Prefill), len(f.held))
	f.frontEnd.Pending(string(Decode), len(f.homeless))
	return f.frontEnd
}

// openFrontEnd starts the front end, if there is one.
func (f *Fleet) openFrontEnd() error {
	if f.cfg.FrontEnd == "" {
		return nil
	}
	var err error
	if f.frontEnd, err = engine.NewFrontend(f.cfg.FrontEnd, f.workers[0].facts); err != nil {
		return err
	}
	for _, w := range f.workers {
		w.frontEnd = f.frontEnd
	}
	return nil
}

// answeredLast is the last request that a worker has answered.
type answeredLast struct {
	firstToken, interval time.Duration // arrival to first token; mean between tokens
	prompt               int           // tokens
}

func (a *answeredLast) note(r *request) {
	a.firstToken, a.prompt = r.firstToken-r.At, r.PromptTokens
	a.interval = (r.lastToken - r.firstToken) / time.Duration(max(r.generated-1, 1))
}

// seenByRouter is what a router knows of a worker.
func (w *worker) seenByRouter(seed uint64) engine.WorkerLoad {
	l := engine.WorkerLoad{
		ID: strconv.FormatUint(mix(seed, uint64(w.index)<<32|uint64(w.truth.sums.Faults.Restarts))>>1, 10), Role: string(w.role),
		LastFirstToken: w.last.firstToken, LastInterval: w.last.interval, LastPrompt: w.last.prompt,
	}
	for i := range w.sched.running {
		r := w.sched.running[i].req
		if r.decoding {
			l.DecodeBlocks += r.pages()
		} else {
			l.PrefillTokens += r.tokens() - r.computed
		}
	}
	for _, q := range [][]*request{w.sched.waiting.all(), w.inbox} {
		for _, r := range q {
			l.PrefillTokens += r.tokens()
		}
	}
	return l
}

// tellArrived, tellGone and the calls in worker.go keep the front end's book, which sees a request that is sent again as a new one.
func (f *Fleet) tellArrived(r *request) {
	if f.frontEnd != nil {
		f.frontEnd.Arrived(&engine.Request{Arrival: f.now, PromptTokens: r.PromptTokens, NaturalTokens: r.OutputTokens})
	}
}

func (f *Fleet) tellGone(r *request) {
	if f.frontEnd == nil {
		return
	}
	told := r.toldClient()
	told.LastToken, told.Aborted = f.now, true
	if r.firstToken > 0 {
		told.GeneratedTokens = max(told.GeneratedTokens, 1)
	}
	f.frontEnd.Finished(told)
}

// toldClient is what a front end knows of a request.
func (r *request) toldClient() *engine.Request {
	told := r.tell(&engine.Request{})
	told.Arrival, told.CachedTokens, told.RemoteTokens = r.sent, r.prefillSide().cachedTokens, 0
	return told
}
