package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import "time"

// levels is the mean of requests running and waiting over the trailing window. History keeps them as well, but in steps that may be longer.
type levels struct{ window trailing }

// Places of the window: each sum with how many values it has.
const (
	levelRunning = iota
	levelsRunning
	levelWaiting
	levelsWaiting
	levelPlaces
)

func (l *levels) add(now time.Time, running, waiting number) {
	var v [levelPlaces]float64
	if running.ok {
		v[levelRunning], v[levelsRunning] = running.value, 1
	}
	if waiting.ok {
		v[levelWaiting], v[levelsWaiting] = waiting.value, 1
	}
	l.window.add(now, v[:])
}

// means are absent where the engine told none.
func (l *levels) means(now time.Time) (running, waiting number) {
	v := l.window.sum(now, levelPlaces)
	if v == nil {
		return number{}, number{}
	}
	mean := func(sum, n int) number {
		if v[n] == 0 {
			return number{}
		}
		return some(v[sum] / v[n])
	}
	return mean(levelRunning, levelsRunning), mean(levelWaiting, levelsWaiting)
}
