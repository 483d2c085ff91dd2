package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import "time"

// Config of an Advisor. Times are data time but for MaxStale.
type Config struct {
	Window   time.Duration // on whose boundaries rules are asked
	Lateness time.Duration // how long a lagging series holds a window open
	Trailing time.Duration // what a Reading covers

	RaiseAfter int           // windows in a row in which a condition must hold before its advice is raised
	ClearAfter int           // windows in a row in which it must not before the advice is cleared
	CoolDown   time.Duration // within which an advice that comes and goes has to hold longer each time, up to this
	Settle     time.Duration // after an advice was followed, before its effect is measured
	MaxStale   time.Duration // how long a silent subject is remembered, on the clock of this machine

	MaxSubjects int // further ones are refused
}

// DefaultConfig returns the settings that the connector has by default.
func DefaultConfig() Config {
	return Config{
		Window: 5 * time.Second, Lateness: 5 * time.Second, Trailing: time.Minute,
		RaiseAfter: 6, ClearAfter: 12, CoolDown: 15 * time.Minute, Settle: 3 * time.Minute, MaxStale: 10 * time.Minute,
		MaxSubjects: 12_000, // ten thousand workers, their fleets and agents
	}
}
