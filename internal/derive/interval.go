package derive

import "time"

// Interval is how far apart inputs come, after another gap: the longest gap lately. Short ones say nothing, since inputs come in bunches:
// the pages of a fleet at once, a worker's streams shortly after its page. One that is longer than those of now is forgotten within four
// times its length.
func Interval(before, gap time.Duration) time.Duration {
	return max(gap, before-max(gap, 0)/4)
}
