package main

import (
	"context"
	"sync"
)

// look is what came of asking for a fleet.
type look struct {
	snapshot
	err error
}

// asker asks once at a time, beside the caller. All of it but the asking itself belongs to one goroutine.
type asker struct {
	client *client
	looks  chan look // one for each time that it asked

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	busy    bool
	next    *string // the fleet that was wanted last meanwhile
}

func newAsker(ctx context.Context, c *client) *asker {
	a := &asker{client: c, looks: make(chan look, 1)}
	a.ctx, a.cancel = context.WithCancel(ctx)
	return a
}

// ask asks for a fleet now, or when the present look has come to its end.
func (a *asker) ask(fleet string) {
	if a.busy {
		a.next = &fleet
		return
	}
	a.busy = true
	a.running.Go(func() {
		s, err := a.client.look(a.ctx, fleet)
		a.looks <- look{s, err}
	})
}

// free is called with a look in hand, and asks for what was wanted meanwhile.
func (a *asker) free() {
	a.busy = false
	if next := a.next; next != nil {
		a.next = nil
		a.ask(*next)
	}
}

// end gives up what is asked, and waits for it.
func (a *asker) end() {
	a.cancel()
	a.running.Wait()
}
