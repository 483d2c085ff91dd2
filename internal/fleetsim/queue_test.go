package fleetsim

import "testing"

func TestQueueKeepsOrder(t *testing.T) {
	var q queue
	next, front := 0, -1
	for i := range 500 {
		q.push(&request{limit: i})
		if i%3 != 0 {
			if got := q.front().limit; got != next {
				t.Fatalf("front is %d, want %d", got, next)
			}
			r := q.front()
			q.popFront()
			next++
			if i%7 == 0 {
				q.pushFront(r)
				next, front = next-1, r.limit
			}
		}
	}
	if q.len() != 500-next || front < 0 {
		t.Errorf("length %d, want %d", q.len(), 500-next)
	}
}
