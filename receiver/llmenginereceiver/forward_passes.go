package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"sync"

	"github.com/otelcol-inference/otelcol-inference/internal/passes"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/zmqsub"
)

// passStream adds up the engine steps of one worker. Its subscriber feeds it, and the loop of the streams reads it.
type passStream struct {
	state streamState

	mu               sync.Mutex
	reducer          *passes.Reducer
	started          bool // a message has come
	taken, misframed uint64
}

var _ zmqsub.Handler = (*passStream)(nil)

func newPassStream(state streamState) *passStream {
	return &passStream{state: state, reducer: passes.NewReducer()}
}

// Connected is told to the status.
func (p *passStream) Connected() { p.state.connected() }

// Disconnected is told to the status.
func (p *passStream) Disconnected(why error) { p.state.disconnected(why) }

// Message adds a step. What is refused is counted by the reducer.
func (p *passStream) Message(payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started = true
	if _, taken := p.reducer.Take(payload); taken {
		p.taken++
	}
}

// Lost is not called: the numbers of messages are in the messages.
func (p *passStream) Lost(uint64) {}

// Restarted is not called either.
func (p *passStream) Restarted() {}

// Note counts.
func (p *passStream) Note(n zmqsub.Note) {
	if n == zmqsub.Misframed {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.misframed++
	}
}

// passSnapshot is what there is to say of a stream.
type passSnapshot struct {
	started          bool
	taken, misframed uint64
	totals           passes.Totals
}

func (p *passStream) snapshot() passSnapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return passSnapshot{p.started, p.taken, p.misframed, p.reducer.Totals()}
}

// points writes what a stream of forward passes says.
func (s *passSnapshot) points(w *pointWriter, connected bool) {
	w.flag(signal.SourceConnected, signal.AttrSource, signal.SourceForwardPasses, connected)
	if !s.started {
		return
	}
	w.messages(signal.SourceForwardPasses, "taken", s.taken)
	w.messages(signal.SourceForwardPasses, "misframed", s.misframed)
	for i, n := range s.totals.Refused {
		outcome := passes.Refusal(i).String()
		if passes.Refusal(i) == passes.Repeated {
			outcome = "duplicate"
		}
		w.messages(signal.SourceForwardPasses, outcome, n)
	}
	w.count(signal.SourceLost, signal.AttrSource, signal.SourceForwardPasses, s.totals.Lost)
	w.count(signal.StepHeartbeats, "", "", s.totals.Heartbeats)
	w.number(signal.StepInfo, signal.AttrTimingScope, s.totals.Scope.String()).SetDoubleValue(1)
	s.steps(w)
}

// steps writes the sums of each composition, metric by metric. A composition without steps has sums of 0: it is known that there were
// none.
func (s *passSnapshot) steps(w *pointWriter) {
	each := func(write func(c string, sums *passes.Sums)) {
		for i := range s.totals.Steps {
			write(passes.Composition(i).String(), &s.totals.Steps[i])
		}
	}
	count := func(name string, of func(*passes.Sums) uint64) {
		each(func(c string, sums *passes.Sums) { w.count(name, signal.AttrComposition, c, of(sums)) })
	}
	count(signal.StepCount, func(s *passes.Sums) uint64 { return s.Steps })
	each(func(c string, sums *passes.Sums) {
		w.number(signal.StepTime, signal.AttrComposition, c).SetDoubleValue(sums.Time)
	})
	count(signal.StepPrefillTokens, func(s *passes.Sums) uint64 { return s.PrefillTokens })
	count(signal.StepPrefillKVTokens, func(s *passes.Sums) uint64 { return s.PrefillKVTokens })
	count(signal.StepDecodeSequences, func(s *passes.Sums) uint64 { return s.DecodeSequences })
	count(signal.StepDecodeKVTokens, func(s *passes.Sums) uint64 { return s.DecodeKVTokens })
	bounds := passes.DurationBounds()
	each(func(c string, sums *passes.Sums) {
		w.histogram(signal.StepDuration, signal.AttrComposition, c, bounds, sums.Durations, sums.Time)
	})
}
