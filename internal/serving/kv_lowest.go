package serving

// KVLowest follows the least share of a pool that is free, over an hour of one minute each. The zero value is ready.
type KVLowest struct {
	minutes [60]float64
	minute  int64 // of data time, of the last look
	first   int64
}

// Add takes a look at a time in seconds, and returns the least of the last hour; false in the first hour, and after a pause of one.
func (l *KVLowest) Add(at, free float64) (lowest float64, ok bool) {
	minute := int64(at / 60)
	n := int64(len(l.minutes))
	if l.first == 0 || minute-l.minute >= n {
		l.first, l.minute = minute, minute-1
	}
	for l.minute < minute {
		l.minute++
		l.minutes[l.minute%n] = free
	}
	i := minute % n
	l.minutes[i] = min(l.minutes[i], free)
	if minute-l.first < n {
		return 0, false
	}
	lowest = free
	for _, v := range l.minutes {
		lowest = min(lowest, v)
	}
	return lowest, true
}
