package fleetsim

import (
	"slices"
	"time"
)

const (
	// KVSlice is the width of a slice of UsefulSlices.
	KVSlice = 10 * time.Second
	// KVSlices is how many of the latest slices are kept: an hour.
	KVSlices = 360
)

// UsefulSlices divide useful block-seconds by when the blocks lay there, not by when that was decided: one value for each KVSlice of
// simulated time, as known by now, the latest KVSlices of them. The rest of a slice's cached block-seconds is dead or open.
type UsefulSlices struct {
	First   int       `json:"first"` // number of the first one, from 0: older ones are forgotten
	Seconds []float64 `json:"block_seconds,omitempty"`
}

// add adds block-seconds to a slice, if that is not forgotten.
func (u *UsefulSlices) add(slice int, seconds float64) {
	if slice < u.First {
		return
	}
	if over := slice - u.First - KVSlices + 1; over > 0 {
		u.Seconds = slices.Delete(u.Seconds, 0, min(over, len(u.Seconds)))
		u.First += over
	}
	for len(u.Seconds) <= slice-u.First {
		u.Seconds = append(u.Seconds, 0)
	}
	u.Seconds[slice-u.First] += seconds
}

// spread adds an interval of one block to the slices it touches.
func (u *UsefulSlices) spread(from, to time.Duration) {
	from = max(from, time.Duration(max(u.First, int(to/KVSlice)-KVSlices))*KVSlice)
	for from < to {
		slice := int(from / KVSlice)
		end := min(to, time.Duration(slice+1)*KVSlice)
		u.add(slice, (end - from).Seconds())
		from = end
	}
}

// merge adds the slices of another worker.
func (u *UsefulSlices) merge(o *UsefulSlices) {
	for i, v := range o.Seconds {
		u.add(o.First+i, v)
	}
}
