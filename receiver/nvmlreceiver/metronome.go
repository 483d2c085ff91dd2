package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"slices"
	"sync"
	"time"
)

// metronome has all threads sample at the same moments: a sample takes a microsecond, and to wake an idle process for it tens of them. Its
// ticks are those of a clock, and it has none while nobody follows it.
type metronome struct {
	clock clock
	every time.Duration

	mu        sync.Mutex
	followers []chan time.Time
	end, done chan struct{} // of the goroutine that beats for them
}

// follow delivers every tick, and returns a function that ends it. A tick that a follower does not take is lost for that one.
func (m *metronome) follow() (<-chan time.Time, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ticks := make(chan time.Time, 1)
	m.followers = append(m.followers, ticks)
	if len(m.followers) == 1 {
		m.end, m.done = make(chan struct{}), make(chan struct{})
		go m.beat(m.end, m.done)
	}
	return ticks, sync.OnceFunc(func() { m.leave(ticks) })
}

func (m *metronome) leave(ticks chan time.Time) {
	m.mu.Lock()
	m.followers = slices.DeleteFunc(m.followers, func(c chan time.Time) bool { return c == ticks })
	left, end, done := len(m.followers), m.end, m.done
	m.mu.Unlock()
	if left == 0 {
		close(end)
		<-done
	}
}

func (m *metronome) beat(end <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	ticks, stop := m.clock.Ticks(m.every)
	defer stop()
	for {
		select {
		case <-end:
			return
		case now := <-ticks:
			m.tick(now)
		}
	}
}

func (m *metronome) tick(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.followers {
		select {
		case c <- now:
		default:
		}
	}
}
