package wall

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestStepsAreWhatTheMonotonicClockDoesNotShow(t *testing.T) {
	for name, c := range map[string]struct {
		wall, monotonic time.Duration
		want            bool
	}{
		"time goes by":     {5 * time.Second, 5 * time.Second, false},
		"slewed":           {5*time.Second + 400*time.Millisecond, 5 * time.Second, false},
		"set forward":      {time.Hour, 5 * time.Second, true},
		"set back":         {-time.Hour, 5 * time.Second, true},
		"set back a bit":   {3 * time.Second, 5 * time.Second, true},
		"a long, calm day": {24 * time.Hour, 24 * time.Hour, false},
	} {
		assert.Equal(t, c.want, stepped(c.wall, c.monotonic), name)
	}
}

func TestStepsOfAClockThatIsNotSet(t *testing.T) {
	var s Steps
	now := Clock{}.Now()
	for _, after := range []time.Duration{0, time.Second, time.Hour, 48 * time.Hour} {
		assert.False(t, s.Passed(now.Add(after)))
	}
	assert.False(t, s.Passed(now.Round(0)), "a time without a monotonic reading")
	assert.Zero(t, s.Count())
}

// Several look at once, and not in the order in which they read the clock.
func TestAnEarlierReadingIsNoLook(t *testing.T) {
	var s Steps
	now := Clock{}.Now()
	assert.False(t, s.Passed(now))
	assert.False(t, s.Passed(now.Add(-time.Minute)))
	assert.Equal(t, now, s.last)
}
