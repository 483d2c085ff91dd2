package serving

import "slices"

// KVChurn is what happened to the contents of a KV pool in a window.
type KVChurn struct {
	End, Seconds float64 // of data time, s
	Stored       float64 // tokens
	Regret       float64 // of these, tokens stored again soon after their block was evicted
	Evicted      float64 // blocks
	Free         float64 // share of the pool without content; only if FreeKnown
	FreeKnown    bool
}

// Thresholds of a storm. Its end is at half of the beginning, so that it does not flicker.
const (
	stormThrash  = 0.2
	calmThrash   = 0.1
	stormFree    = 0.02 // of the pool
	calmSeconds  = 60.0
	leastTrail   = 15.0 // s over which thrash is taken, and three windows at least
	leastWindows = 3
	// To begin, a storm has to last over so many tokens, or mostTrail: a few prompts that are computed again are none.
	trailTokens = 1 << 16
	mostTrail   = 45.0 // s
	// stormTokens are needed before thrash means anything: a prompt or two.
	stormTokens = 1024
	baseSeconds = 600.0 // the past that evictions are compared with
	maxWindows  = 720   // remembered
)

// KVStorm finds eviction storms: blocks are evicted and computed again, over and over.
//
// It begins when thrash, the share of the tokens stored that had been evicted shortly before, is above 0.2 over the last three windows or
// 15 s, whichever is longer, and over the 65,536 tokens stored last, as far as they lie within 45 s; blocks are being evicted, and hardly
// any room is free. It ends when thrash has been below 0.1 for 60 s, or
// too little was stored to tell: a prompt or two that are computed again are no storm.
// How the rate of evictions compares with the calm before is told beside it and decides nothing: a collector that starts in a storm
// has seen no calm, and a cache that was full before evicts no faster when what it evicts begins to be missed.
type KVStorm struct {
	windows []KVChurn
	calm    []float64 // rates of evictions of calm windows, blocks/s
	active  bool
	since   float64 // of the calm, when active; 0 without
}

// KVStormState is what is known after a window.
type KVStormState struct {
	Active bool
	Thrash float64 // 0..1
	Known  bool    // enough was stored, or nothing at all
	Surge  float64 // rate of evictions over its median in calm windows of the last ten minutes; 0 when there was none
}

// Add takes a window.
func (s *KVStorm) Add(c KVChurn) KVStormState {
	s.windows = append(s.windows, c)
	s.forget(c.End)
	recent := s.recent(0)
	out := KVStormState{Surge: s.surge(recent)}
	out.Known = recent.Stored >= stormTokens || recent.Stored <= 0
	out.Thrash = recent.thrash()
	full := !c.FreeKnown || c.Free < stormFree
	switch {
	case !s.active && out.Known && out.Thrash > stormThrash && s.recent(trailTokens).thrash() > stormThrash && recent.Evicted > 0 && full:
		s.active, s.since = true, 0
	case s.active && out.Known && out.Thrash >= calmThrash:
		s.since = 0
	case s.active && s.since == 0:
		s.since = c.End
	case s.active && c.End-s.since >= calmSeconds:
		s.active = false
	}
	if !s.active && out.Known && out.Thrash < calmThrash && c.Seconds > 0 {
		s.calm = append(s.calm, c.Evicted/c.Seconds)
		if len(s.calm) > maxWindows {
			s.calm = slices.Delete(s.calm, 0, len(s.calm)-maxWindows)
		}
	}
	out.Active = s.active
	return out
}

// forget drops windows that are older than what thrash is taken over, and calm ones older than the baseline.
func (s *KVStorm) forget(now float64) {
	n := len(s.windows)
	drop := 0
	for n-drop > leastWindows && now-s.windows[drop+1].End+s.windows[drop+1].Seconds >= mostTrail {
		drop++
	}
	s.windows = slices.Delete(s.windows, 0, drop)
	if last := s.windows[len(s.windows)-1]; last.Seconds > 0 {
		if over := len(s.calm) - int(baseSeconds/last.Seconds); over > 0 {
			s.calm = slices.Delete(s.calm, 0, over)
		}
	}
}

// recent adds up the last windows: leastWindows of them and leastTrail at least, and more until so many tokens are stored in them.
func (s *KVStorm) recent(tokens float64) (sum KVChurn) {
	for n, w := range slices.Backward(s.windows) {
		if len(s.windows)-n > leastWindows && sum.Seconds >= leastTrail && sum.Stored >= tokens {
			break
		}
		sum.Seconds += w.Seconds
		sum.Stored += w.Stored
		sum.Regret += w.Regret
		sum.Evicted += w.Evicted
	}
	return sum
}

// thrash is the share of what was stored that had been evicted shortly before.
func (c KVChurn) thrash() float64 {
	if c.Stored <= 0 {
		return 0
	}
	return min(1, c.Regret/c.Stored)
}

func (s *KVStorm) surge(recent KVChurn) float64 {
	if len(s.calm) == 0 || recent.Seconds <= 0 {
		return 0
	}
	sorted := slices.Clone(s.calm)
	slices.Sort(sorted)
	median := sorted[len(sorted)/2]
	if median <= 0 {
		return 0
	}
	return recent.Evicted / recent.Seconds / median
}
