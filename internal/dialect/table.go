package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

// Kind is what a family is in the engine. It comes from the table and never from the name: vllm:iteration_tokens_total is a
// histogram.
type Kind uint8

const (
	// Counter only grows, resets aside.
	Counter Kind = iota
	// Gauge goes up and down.
	Gauge
	// Histogram has cumulative buckets, a sum and a count.
	Histogram
	// Info carries facts in its labels; its value is 1, or a time by which the newest of several series is found.
	Info
)

func (k Kind) String() string {
	return [...]string{"counter", "gauge", "histogram", "info"}[k]
}

// Attribute is one attribute of a point.
type Attribute struct{ Key, Value string }

// Table is the dialect of one engine.
type Table struct {
	Engine     string   // value of llm.engine.name
	Prefixes   []string // names of this engine's families begin with one of these; unknown ones under them are drift
	RankLabel  string   // label that holds the data-parallel rank
	ModelLabel string
	Router     string // label of a router that speaks this engine's names: series with it and without rank and model are not ours
	Rows       []Row
	Variants   []Variant
}

// Row maps one family. Name is the family's name without any trailing _total, by which counters differ between clients. A
// name that ends in * is a prefix and can only be ignored.
type Row struct {
	Name   string
	Kind   Kind
	Metric string      // of internal/signal; empty for Info and ignored families
	Fixed  []Attribute // on every point
	Labels []Label
	Scale  Scale
	// YieldsTo names families that say the same thing better, its own newer name or the parts of the total it is: when one of
	// them is on the page, this one is left out, so that nothing is counted twice.
	YieldsTo []string
	// AliasOf names the family that this one was renamed to: it takes that row's mapping and yields to it.
	AliasOf string
	Facts   []Fact // of Info
	Ignored string // why the family is not mapped
}

// Label maps a label to an attribute.
type Label struct {
	From   []string // names of the label, the first found wins
	To     string
	Values map[string]string // engine's value to ours; a value that is not here stays as it is
}

// Scale converts the engine's unit to ours: value * Num / Den. The zero Scale changes nothing. Milliseconds have Den 1000, which
// gives the same number as the seconds written out, where a multiplication by 0.001 would not.
type Scale struct{ Num, Den float64 }

// Apply converts v.
func (s Scale) Apply(v float64) float64 {
	if s.Num != 0 {
		v *= s.Num
	}
	if s.Den != 0 {
		v /= s.Den
	}
	return v
}

// Fact reads one fact from the labels of an Info family, either as a gauge (Metric) or as an attribute of llm.engine.info.
type Fact struct {
	Metric    string
	Fixed     []Attribute
	Attribute string
	As        As
	// AnyOf are alternatives, tried in order. Each is a list of labels whose numbers are multiplied.
	AnyOf [][]string
}

// As says how a fact's label is read.
type As uint8

const (
	// Number is a number; a label that is none ("None") gives no fact.
	Number As = iota
	// Text is the label as it is.
	Text
	// Bool is True or False.
	Bool
	// Entries counts the entries of a comma-separated list.
	Entries
)

// Variant is one generation of an engine, told by what its page shows. The first whose conditions hold is the one.
type Variant struct {
	Name  string
	Holds func(Evidence) bool
}

// Evidence is what a page shows of the program that wrote it.
type Evidence struct {
	Ranked     bool // a series has the rank label
	Python     bool // python_info is there
	DoubleStop bool // a HELP text ends with two full stops
	EOF        bool // the text ends with # EOF
	Has        func(family string) bool
}
