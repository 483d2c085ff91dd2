package fleetsim

// worse joins the links of two workers: of every figure the one that makes a transfer longer.
func worse(a, b Link) Link {
	if a == b {
		return a
	}
	l := a
	if b.Bandwidth < a.Bandwidth {
		l.Transport = b.Transport
	}
	l.Latency, l.Post, l.PerDescriptor = max(a.Latency, b.Latency), max(a.Post, b.Post), max(a.PerDescriptor, b.PerDescriptor)
	l.Bandwidth, l.Noise, l.Pieces = min(a.Bandwidth, b.Bandwidth), max(a.Noise, b.Noise), max(a.Pieces, b.Pieces)
	l.Overlap = a.Overlap && b.Overlap
	l.Hiccups = Hiccups{
		Stall:  max(a.Hiccups.Stall, b.Hiccups.Stall),
		Chance: max(a.Hiccups.Chance, b.Hiccups.Chance),
	}
	if fa, fb := a.Fallback, b.Fallback; fb.Pairs > fa.Pairs || fb.Transfers > fa.Transfers {
		l.Fallback = Fallback{
			Pairs: max(fa.Pairs, fb.Pairs), Transfers: max(fa.Transfers, fb.Transfers),
			Latency: max(fa.Latency, fb.Latency), Bandwidth: fb.Bandwidth,
		}
	}
	l.Timeout, l.Retries, l.Backoff = max(a.Timeout, b.Timeout), max(a.Retries, b.Retries), max(a.Backoff, b.Backoff)
	l.FailureChance = max(a.FailureChance, b.FailureChance)
	return l
}

// fallen is the link with TCP in place of its transport, if the dice or the pair of workers want it so.
func (l Link) fallen(seed uint64, source, destination int, d *dice) Link {
	pair := dice{key: mix(seed^pairStream, uint64(source)<<32|uint64(destination))}
	// Both are thrown always, so that later throws do not depend on the fallback.
	if p, t := pair.uniform(), d.uniform(); p >= l.Fallback.Pairs && t >= l.Fallback.Transfers {
		return l
	}
	l.Transport, l.Latency, l.Bandwidth = TCP, l.Fallback.Latency, l.Fallback.Bandwidth
	l.Post = min(l.Post, l.Latency)
	return l
}

// side is one direction of a worker's link: transfers wait in order of posting, the first one is under way or waits for the other
// end.
type side struct {
	waiting []*transfer
	busy    bool
	nics    []blockage // of each rank; empty without blockages
}

func (s *side) head() *transfer {
	if len(s.waiting) == 0 {
		return nil
	}
	return s.waiting[0]
}

// remove takes a transfer out, wherever it is.
func (s *side) remove(t *transfer) {
	for i, o := range s.waiting {
		if o == t {
			s.busy = s.busy && i > 0
			n := copy(s.waiting[i:], s.waiting[i+1:])
			s.waiting[i+n] = nil
			s.waiting = s.waiting[:i+n]
			return
		}
	}
}
