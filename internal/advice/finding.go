package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

import (
	"math"
	"slices"
)

// Severity says how much an advice matters.
type Severity string

// The severities, from little to much.
const (
	Info     Severity = "info"     // something could be seen or done better; nobody suffers
	Warning  Severity = "warning"  // an objective is missed or capacity is wasted
	Critical Severity = "critical" // most requests miss their objective, or work is lost
)

// Finding is what a rule found: the advice, without its life.
type Finding struct {
	Severity   Severity   `json:"severity"`
	Title      string     `json:"title"` // one sentence: what is wrong
	Evidence   []Quantity `json:"evidence"`
	Action     Action     `json:"action"`
	Predicted  *Effect    `json:"predicted,omitempty"` // nil where nothing can be said in numbers
	Confidence float64    `json:"confidence"`          // 0..1
}

// Quantity is a number with its name, its unit and the metric that it comes from.
type Quantity struct {
	Name   string   `json:"name"`
	Value  float64  `json:"value"`
	Unit   string   `json:"unit"` // UCUM
	Metric string   `json:"metric,omitempty"`
	Limit  *float64 `json:"limit,omitempty"` // the objective or bound that it is held against, in the same unit
}

// Against returns q with the limit that it is held against.
func (q Quantity) Against(limit float64) Quantity {
	q.Limit = &limit
	return q
}

// Action is what to do.
type Action struct {
	Text   string  `json:"text"`             // one sentence
	Change string  `json:"change,omitempty"` // exactly what to copy: flags of the engine, lines of its YAML, or a topology
	Where  string  `json:"where,omitempty"`  // whose flag: the engine's name and version
	Levers []Lever `json:"levers,omitempty"` // facts that change when it is followed; none: nobody can see whether it was
}

// Lever is a fact that changes when an advice is followed.
type Lever struct {
	Fact string `json:"fact"`
	// Rise is 1 when the fact is a number that grows, -1 when it is one that shrinks, 0 for any change.
	Rise int `json:"rise"`
	// Least is the change, as a share of what it was, below which a fact that is measured only scatters; 0 for what is configured.
	Least float64 `json:"least,omitempty"`
	From  string  `json:"from"` // as it was when the advice was given; the Advisor fills it in
}

// Effect is a prediction: a quantity before, after, and the interval that holds it afterwards in four cases of five.
type Effect struct {
	Name string  `json:"name"`
	Unit string  `json:"unit"` // UCUM
	From float64 `json:"from"`
	To   float64 `json:"to"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Outcome is a rule's answer.
type Outcome struct {
	Finding  *Finding // nil when the condition does not hold
	Withheld string   // why it cannot be known; "" when it can
}

// Nothing is the answer of a rule whose condition does not hold.
func Nothing() Outcome { return Outcome{} }

// Found is the answer of a rule whose condition holds.
func Found(f Finding) Outcome { return Outcome{Finding: &f} }

// Withhold is the answer of a rule that cannot know.
func Withhold(reason string) Outcome { return Outcome{Withheld: reason} }

// finite reports whether all numbers of a finding are numbers: others can neither be told nor kept.
func (f *Finding) finite() bool {
	numbers := []float64{f.Confidence}
	for _, q := range f.Evidence {
		numbers = append(numbers, q.Value)
	}
	if p := f.Predicted; p != nil {
		numbers = append(numbers, p.From, p.To, p.Low, p.High)
	}
	return !slices.ContainsFunc(numbers, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// Rule looks at one subject.
type Rule struct {
	ID      string // such as interference; never changes, records are kept by it
	Subject Kind
	Inputs  []string // metrics that it reads; nothing else is kept
	// Check says what it finds.
	Check func(*Reading) Outcome
	// Measure is the quantity that Predicted speaks of. nil where nothing is predicted.
	Measure func(*Reading) (float64, bool)
}
