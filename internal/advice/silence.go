package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

// Silence is a rule that could not tell, and why.
type Silence struct{ Rule, Reason string }

// Withheld hands out how often a rule could not tell, in windows of its subjects, since it was asked last. It is the caller's.
func (a *Advisor) Withheld() map[Silence]int64 {
	was := a.withheld
	a.withheld = make(map[Silence]int64, len(was))
	return was
}
