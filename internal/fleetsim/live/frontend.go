package live

import (
	"fmt"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// frontend is a Dynamo front end before the fleet, with its router.
type frontend struct {
	page engine.Frontend
	last []engine.WorkerLoad // by worker
}

// openFrontend puts it before the fleet.
func openFrontend(fleet *fleetsim.Fleet) (*frontend, error) {
	page, err := fleet.OpenFrontend(engine.NameDynamo)
	if err != nil {
		return nil, fmt.Errorf("protocols.frontend: %w", err)
	}
	f := &frontend{page: page}
	for i := range fleet.Workers() {
		f.last = append(f.last, engine.WorkerLoad{ID: fmt.Sprintf("%x", 0x694d7c0f0000+i), Role: string(fleet.Pool(i).Role)})
	}
	return f, nil
}

// finished takes what the router learns of a worker from an answer.
func (f *frontend) finished(t fleetsim.RequestTruth) {
	l := &f.last[t.Worker]
	l.LastFirstToken, l.LastPrompt = seconds(t.FirstTokenSeconds-t.ArrivalSeconds), t.PromptTokens
	if t.OutputTokens > 1 {
		l.LastInterval = seconds((t.LastTokenSeconds - t.FirstTokenSeconds) / float64(t.OutputTokens-1))
	}
}

// update takes what the router knows of every worker's load.
func (f *frontend) update(fleet *fleetsim.Fleet) {
	for i := range f.last {
		s := fleet.State(i)
		f.last[i].DecodeBlocks = s.UsedBlocks
		f.page.Worker(f.last[i])
	}
}
