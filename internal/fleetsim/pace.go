package fleetsim

import "time"

// pace turns the times of a workload into simulated time: from since on, load times as fast.
type pace struct {
	since, from time.Duration // simulated time and the workload's at that moment
	load        float64
}

func steady() pace { return pace{load: 1} }

// at is the simulated time of an arrival.
func (p pace) at(workload time.Duration) time.Duration {
	if p.load == 1 { // exact
		return p.since + workload - p.from
	}
	return p.since + time.Duration(float64(workload-p.from)/p.load)
}

// change is the pace from now on.
func (p pace) change(now time.Duration, load float64) pace {
	from := p.from + now - p.since
	if p.load != 1 {
		from = p.from + time.Duration(float64(now-p.since)*p.load)
	}
	return pace{since: now, from: from, load: load}
}
