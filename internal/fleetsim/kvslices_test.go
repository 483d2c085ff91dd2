package fleetsim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestUsefulSlicesKeepTheLastHour(t *testing.T) {
	var u UsefulSlices
	for i := range 1000 {
		at := time.Duration(i) * KVSlice
		u.spread(at, at+KVSlice)
	}
	if u.First != 640 || len(u.Seconds) != KVSlices || cap(u.Seconds) > 4*KVSlices {
		t.Fatalf("from %d: %d slices in space for %d", u.First, len(u.Seconds), cap(u.Seconds))
	}
	u.spread(0, 1005*KVSlice) // all the time, and later than what is there
	for i, v := range u.Seconds {
		want := 20.0
		if i >= KVSlices-5 {
			want = 10
		}
		if u.First != 645 || v != want {
			t.Fatalf("slice %d: %g s, want %g", u.First+i, v, want)
		}
	}
	u.spread(0, time.Second) // long ago
	u.add(1_000_000, 3)      // long after
	if u.First != 1_000_000-KVSlices+1 || len(u.Seconds) != KVSlices || u.Seconds[KVSlices-1] != 3 || u.Seconds[0] != 0 {
		t.Errorf("from %d: %v", u.First, u.Seconds)
	}

	late, early := UsefulSlices{}, UsefulSlices{}
	late.add(500, 1)
	early.add(100, 2)
	early.add(400, 4)
	var sum UsefulSlices
	sum.merge(&early)
	sum.merge(&late)
	if sum.First != 141 || sum.Seconds[400-141] != 4 || sum.Seconds[500-141] != 1 || len(sum.Seconds) != KVSlices {
		t.Errorf("merged from %d: %v", sum.First, sum.Seconds)
	}
	text, err := json.Marshal(KVTruth{UsefulSlices: late})
	if err != nil || !strings.Contains(string(text), `"cached_useful_slices":{"first":141,"block_seconds":[0,`) {
		t.Errorf("%s, %v", text, err)
	}
}
