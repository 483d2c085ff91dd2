package fleetsim

import (
	"container/heap"
	"time"
)

// agenda orders everything that is going to happen: workers by the end of their step, the lowest index first among equals, and
// timers by their time, the first set first among equals.
type agenda struct {
	steps  stepHeap
	timers timerHeap
	set    uint64 // timers so far
}

// timer is something that happens once at a given time.
type timer struct {
	at    time.Duration
	order uint64
	place int // in the heap; -1 when it is over
	do    func()
}

// add sets a timer.
func (a *agenda) add(at time.Duration, do func()) *timer {
	t := &timer{at: at, order: a.set, do: do}
	a.set++
	heap.Push(&a.timers, t)
	return t
}

// cancel takes a timer back; nil and timers that are over are fine.
func (a *agenda) cancel(t *timer) {
	if t != nil && t.place >= 0 {
		heap.Remove(&a.timers, t.place)
	}
}

// nextTimer is the time of the first timer, or idle.
func (a *agenda) nextTimer() time.Duration {
	if len(a.timers) == 0 {
		return idle
	}
	return a.timers[0].at
}

// fire takes the first timer off the heap and lets it happen.
func (a *agenda) fire() { heap.Pop(&a.timers).(*timer).do() }

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || (h[i].at == h[j].at && h[i].order < h[j].order)
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push is for container/heap.
func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.place = len(*h)
	*h = append(*h, t)
}

// Pop is for container/heap.
func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.place = -1
	return t
}

// stepHeap is a binary heap of all workers by stepEnd. It is written out, without container/heap's calls through an interface,
// because it moves with every step.
type stepHeap []*worker

func newStepHeap(workers []*worker) stepHeap {
	h := make(stepHeap, len(workers))
	for i, w := range workers {
		h[i], w.place = w, i
	}
	return h // all idle: in order already
}

func (h stepHeap) less(a, b *worker) bool {
	return a.stepEnd < b.stepEnd || (a.stepEnd == b.stepEnd && a.index < b.index)
}

// moved restores the order after a worker's stepEnd has changed.
func (h stepHeap) moved(w *worker) {
	i := w.place
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(w, h[parent]) {
			break
		}
		h.put(i, h[parent])
		i = parent
	}
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h.less(h[child+1], h[child]) {
			child++
		}
		if !h.less(h[child], w) {
			break
		}
		h.put(i, h[child])
		i = child
	}
	h.put(i, w)
}

func (h stepHeap) put(i int, w *worker) { h[i], w.place = w, i }
