package stream

import (
	"fmt"
	"math/rand/v2"
	"sync"
)

// Faults are what a publisher does wrong on demand. Each applies to the messages after the call; several at once take their turn in
// the order Overflow, Lose, Drop, random loss, Garbage, Duplicate. Its methods may be called from any goroutine.
type Faults struct {
	mu        sync.Mutex
	overflow  int
	lose      int
	drop      int
	garbage   int
	duplicate int
	rate      float64
	rng       *rand.Rand
}

// OverflowNext leaves out the next n messages before they get a sequence: no gap shows, as when the queue in front of the publisher's
// thread is full (forward passes of Dynamo, vLLM and SGLang).
func (f *Faults) OverflowNext(n int) { f.add(&f.overflow, n) }

// LoseNext numbers the next n messages and neither sends nor buffers them: a gap that no replay mends, as in TensorRT-LLM, which
// numbers before it queues.
func (f *Faults) LoseNext(n int) { f.add(&f.lose, n) }

// DropNext numbers and buffers the next n messages but does not send them: a gap that replay mends, as at ZeroMQ's high-water mark.
func (f *Faults) DropNext(n int) { f.add(&f.drop, n) }

// GarbageNext sends a payload that is no msgpack in place of the next n, and buffers it for replay.
func (f *Faults) GarbageNext(n int) { f.add(&f.garbage, n) }

// DuplicateNext sends the next n messages twice with the same sequence.
func (f *Faults) DuplicateNext(n int) { f.add(&f.duplicate, n) }

// SetLossRate drops each message with this probability, 0 to 1, as DropNext does; equal seeds give equal losses.
func (f *Faults) SetLossRate(rate float64, seed uint64) error {
	if !(rate >= 0 && rate <= 1) {
		return fmt.Errorf("loss rate: must be 0 to 1, got %v", rate)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rate, f.rng = rate, rand.New(rand.NewPCG(seed, 0))
	return nil
}

func (f *Faults) add(counter *int, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*counter = max(0, *counter+n)
}

type verdict int

const (
	deliver verdict = iota
	overflow
	lose
	drop
	garble
	duplicate
)

// next decides on one message.
func (f *Faults) next() verdict {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case take(&f.overflow):
		return overflow
	case take(&f.lose):
		return lose
	case take(&f.drop):
		return drop
	case f.rate > 0 && f.rng.Float64() < f.rate:
		return drop
	case take(&f.garbage):
		return garble
	case take(&f.duplicate):
		return duplicate
	}
	return deliver
}

func take(counter *int) bool {
	if *counter == 0 {
		return false
	}
	*counter--
	return true
}
