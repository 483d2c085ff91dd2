package fleetsim

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// AdapterTraffic says which LoRA adapters requests ask for that do not name one themselves.
type AdapterTraffic struct {
	Count int     `json:"count" yaml:"count"` // adapters; 0: nobody asks for any
	Share float64 `json:"share" yaml:"share"` // of the requests that ask for one
	Zipf  float64 `json:"zipf" yaml:"zipf"`   // the i-th adapter is asked for in proportion to 1/i^zipf
}

func (a AdapterTraffic) validate() error {
	switch {
	case a.Count < 0:
		return fmt.Errorf("adapters.count: must be at least 0, is %d", a.Count)
	case !(a.Share >= 0 && a.Share <= 1):
		return fmt.Errorf("adapters.share: must be from 0 to 1, is %g", a.Share)
	case !(a.Zipf >= 0 && a.Zipf <= 10):
		return fmt.Errorf("adapters.zipf: must be from 0 to 10, is %g", a.Zipf)
	}
	return nil
}

// adapterChoice is the cumulative distribution over "none" and the adapters.
type adapterChoice []float64

func newAdapterChoice(a AdapterTraffic) adapterChoice {
	if a.Count == 0 || a.Share == 0 {
		return nil
	}
	var total float64
	for i := range a.Count {
		total += math.Pow(float64(i+1), -a.Zipf)
	}
	sum := 1 - a.Share
	c := adapterChoice{sum}
	for i := range a.Count {
		sum += a.Share * math.Pow(float64(i+1), -a.Zipf) / total
		c = append(c, sum)
	}
	return c
}

// adapterSpace keeps the choice of adapters independent of everything else that is derived from a request's identity.
const adapterSpace = 0x10ca_0000_0000_0000

// of chooses the adapter of a request by its identity: 0 is none.
func (c adapterChoice) of(unique uint64) int {
	if c == nil {
		return 0
	}
	u := float64(mix(unique, adapterSpace)>>11) / (1 << 53)
	return min(sort.Search(len(c), func(i int) bool { return u < c[i] }), len(c)-1)
}

// adapterName is the name an adapter is served under; "" for none.
func adapterName(adapter int) string {
	if adapter == 0 {
		return ""
	}
	return "adapter-" + strconv.Itoa(adapter)
}

// adapterSlots counts the running sequences of each adapter. The zero value with no limit admits everything.
type adapterSlots struct {
	limit   int   // most adapters in use at a time (max_loras); 0: no limit
	inUse   int   // adapters with running sequences
	running []int // sequences by adapter
	step    []int // sequences by adapter in the step being counted
}

// admits asks whether a sequence with the adapter may start now.
func (a *adapterSlots) admits(adapter int) bool {
	return adapter == 0 || a.limit == 0 || a.inUse < a.limit || (adapter < len(a.running) && a.running[adapter] > 0)
}

// start and stop follow the running set.
func (a *adapterSlots) start(adapter int) {
	if adapter == 0 {
		return
	}
	for len(a.running) <= adapter {
		a.running = append(a.running, 0)
	}
	if a.running[adapter]++; a.running[adapter] == 1 {
		a.inUse++
	}
}

func (a *adapterSlots) stop(adapter int) {
	if adapter == 0 {
		return
	}
	if a.running[adapter]--; a.running[adapter] == 0 {
		a.inUse--
	}
}

// distinct counts the adapters of the sequences scheduled in this step.
func (a *adapterSlots) distinct(s *scheduler) int {
	if a.inUse == 0 {
		return 0
	}
	a.step = slices.Grow(a.step[:0], len(a.running))[:len(a.running)]
	clear(a.step)
	n := 0
	for i := range s.running {
		adapter := s.running[i].req.Adapter
		if adapter == 0 || !s.scheduled(&s.running[i]) {
			continue
		}
		if a.step[adapter]++; a.step[adapter] == 1 {
			n++
		}
	}
	return n
}

// listAdapters tells which adapters running and waiting requests use, each once, in order of their names.
func (s *scheduler) listAdapters(state *engine.State) {
	if s.adapters.limit == 0 {
		return
	}
	var running, waiting []string
	for adapter, n := range s.adapters.running {
		if n > 0 {
			running = append(running, adapterName(adapter))
		}
	}
	for _, r := range s.waiting.all() {
		if name := adapterName(r.Adapter); name != "" && !slices.Contains(waiting, name) {
			waiting = append(waiting, name)
		}
	}
	slices.Sort(running)
	slices.Sort(waiting)
	state.RunningAdapters, state.WaitingAdapters = running, waiting
}
