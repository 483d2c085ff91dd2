package serving

// KVMisses divides prompt tokens that were not found in a prefix cache by why, in tokens.
type KVMisses struct {
	Compulsory float64 // never seen
	Capacity   float64 // seen, and evicted
	Routing    float64 // never seen here, and another worker has it
	Reset      float64 // seen, and lost when the cache was cleared
	Loaded     float64 // in a lower tier, and loaded from there
	Partial    float64 // in no full block
	Unknown    float64
}

// Total is all of them.
func (m KVMisses) Total() float64 {
	return m.Compulsory + m.Capacity + m.Routing + m.Reset + m.Loaded + m.Partial + m.Unknown
}

// blocks are those that are known from blocks.
func (m KVMisses) blocks() float64 { return m.Total() - m.Partial }

// Add adds others.
func (m *KVMisses) Add(o KVMisses) { m.add(o, 1) }

func (m *KVMisses) add(o KVMisses, times float64) {
	m.Compulsory += times * o.Compulsory
	m.Capacity += times * o.Capacity
	m.Routing += times * o.Routing
	m.Reset += times * o.Reset
	m.Loaded += times * o.Loaded
	m.Partial += times * o.Partial
	m.Unknown += times * o.Unknown
}

// MissLedger divides misses as they come. What was not found is known when a request gets its first token, why when its blocks are stored,
// so it holds open what one of the two has not told yet. Every prompt has from 1 to a block of tokens that no cache can have: the
// end of it that fills no block, or the last token, which is always computed.
type MissLedger struct {
	missed float64  // told, and not yet divided
	quota  float64  // tokens that may be partial, of the last windows
	open   KVMisses // blocks not yet told by the requests
}

// openShare is how much of what one side has told may wait for the other, as a share of a window's; what is more is unknown. It is also
// the time constant, in windows, with which room for partial blocks that nothing has filled fades: prompts leave half a block of it on
// average, which would otherwise add up and swallow what lost events leave without a cause.
const openShare = 4

// Add takes what was missed in a window, the requests that missed it, and the blocks that were stored for them, and returns what is
// divided now.
func (l *MissLedger) Add(missed, requests, blockSize float64, stored KVMisses) (divided KVMisses) {
	l.missed += max(0, missed)
	l.quota = l.quota*(1-1.0/openShare) + max(0, requests)*blockSize
	l.open.add(stored, 1)
	if told := l.open.blocks(); told > 0 {
		part := min(1, l.missed/told)
		divided.add(l.open, part)
		l.missed -= part * told
		l.open.add(l.open, -part)
	}
	divided.Partial = min(l.missed, l.quota)
	l.missed -= divided.Partial
	l.quota -= divided.Partial
	if over := l.missed - openShare*(missed+requests*blockSize); over > 0 {
		divided.Unknown += over
		l.missed -= over
	}
	if told, most := l.open.blocks(), openShare*stored.blocks(); told > most && told > 0 {
		l.open.add(l.open, most/told-1) // blocks of requests that never came to a first token
	}
	return divided
}
