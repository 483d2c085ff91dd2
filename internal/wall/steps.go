package wall

import (
	"sync"
	"sync/atomic"
	"time"
)

// leastStep is from where on a difference between the wall clock and the monotonic one is a step: NTP slews by less between two looks.
const leastStep = time.Second

// Steps counts how often the clock of this machine was set while it was looked at, or the machine slept: times read before and after are
// then not of one axis. The zero value is ready; it is safe for concurrent use.
type Steps struct {
	mu    sync.Mutex
	last  time.Time
	count atomic.Int64
}

// Passed looks at a reading of the clock with its monotonic part, and reports whether the clock was set since the look before. A time
// without one, as tests make them, never shows a step.
func (s *Steps) Passed(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.last
	if now.Sub(last) < 0 {
		return false // who read the clock first may look last, and would see each step once more
	}
	s.last = now
	if last.IsZero() || !stepped(now.Round(0).Sub(last.Round(0)), now.Sub(last)) {
		return false
	}
	s.count.Add(1)
	return true
}

// Count is how many steps there were.
func (s *Steps) Count() int64 { return s.count.Load() }

// stepped tells whether wall time went on by another amount than monotonic time.
func stepped(wall, monotonic time.Duration) bool { return (wall - monotonic).Abs() >= leastStep }
