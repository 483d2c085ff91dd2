package fleetsim

import "slices"

// queue is a first-in-first-out queue that can also take a request back at its head.
type queue struct {
	items []*request
	head  int
}

func (q *queue) len() int        { return len(q.items) - q.head }
func (q *queue) front() *request { return q.items[q.head] }
func (q *queue) all() []*request { return q.items[q.head:] }
func (q *queue) push(r *request) { q.items = append(q.items, r) }

func (q *queue) popFront() {
	q.items[q.head] = nil
	q.head++
	if q.head > 64 && q.head*2 > len(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
}

func (q *queue) pushFront(r *request) {
	if q.head == 0 {
		q.items = append(q.items, nil)
		copy(q.items[1:], q.items)
		q.items[0] = r
		return
	}
	q.head--
	q.items[q.head] = r
}

// remove takes a request out of the middle of the queue.
func (q *queue) remove(r *request) {
	if i := slices.Index(q.all(), r); i >= 0 {
		i += q.head
		n := copy(q.items[i:], q.items[i+1:])
		q.items[i+n] = nil
		q.items = q.items[:i+n]
	}
}
