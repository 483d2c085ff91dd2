package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import "slices"

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

// Table is the dialect of one engine, or of another program that serves beside engines.
type Table struct {
	Engine     string    // value of llm.engine.name
	Prefixes   []string  // names of this engine's families begin with one of these; unknown ones under them are drift
	Renamed    []Renamed // prefixes that are read as another one
	RankLabel  string    // label that holds the data-parallel rank
	ModelLabel []string  // labels that may hold the model, the first found wins
	// Replicas are labels of processes that each tell the same of one engine core (tensor and pipeline ranks), most significant
	// first. Only the series of the lowest are taken.
	Replicas []string
	Router   string // label of a router that speaks this engine's names: series with it and without rank and model are not ours
	// Closed tables own the names in their rows only: their prefixes belong to others too, and nothing of them is drift.
	Closed bool
	// A Companion's families are on the page of another engine. What that engine says itself is taken from it.
	Companion bool
	Observer  string // value of llm.observer: what watches engines and is none; empty for engines
	Role      Role
	About     []About
	Inputs    []Input
	Lacks     []Lack // inputs that no flag of the engine gives
	Rows      []Row
	Variants  []Variant
}

// Renamed says that an old prefix is read as a new one.
type Renamed struct{ Old, New string }

// Role says where an engine's own series tell its role.
type Role struct {
	Always string            // what the program is, whatever the labels say
	Labels []string          // of any series
	Values map[string]string // engine's value to ours; others tell nothing
}

// About is a page beside the metrics on which an engine tells of itself, in JSON.
type About struct {
	Path    string              // after the server's root
	Version []string            // keys from the top of the document down to the version; empty where it is not there
	Role    []string            // likewise
	Roles   map[string]string   // engine's value of the role to ours; others tell nothing
	Detail  string              // what else must be on the metrics page for the request to be worth it: a family
	Facts   map[string][]string // attribute of llm.engine.info to the keys of its value
}

// Row maps one family. Name is the family's name without any trailing _total, by which counters differ between clients. A
// name that ends in * is a prefix and can only be ignored. Several rows may share a name when they differ in Kind
// or in Only; a series that several are for counts in each.
type Row struct {
	Name   string
	ID     string // by which other rows refer to this one, where it shares its name; empty: Name
	Kind   Kind
	Lies   string      // type that the page declares, where that is not the kind
	Only   Only        // series that the row is for
	Metric string      // of internal/signal; empty for Info and ignored families
	Fixed  []Attribute // on every point
	Labels []Label
	Scale  Scale
	Blocks Conversion
	// SumOnly takes the sum of a histogram and leaves its buckets.
	SumOnly bool
	// Shared says that replicas tell a share each, which are added up.
	Shared bool
	// YieldsTo names families that say the same thing better, its own newer name or the parts of the total it is: when one of
	// them is on the page, this one is left out, so that nothing is counted twice.
	YieldsTo []string
	// Sums says that the families it yields to are its parts, counted at the same moments: they must add up to it.
	Sums bool
	// AliasOf names the family that this one was renamed to: it takes that row's mapping and yields to it.
	AliasOf string
	// Plus has the IDs of histograms of requests; the count of one is added to this counter, which leaves out one for each. It is that of
	// the first on the target's pages, or of the next where that one is told of several workers together.
	Plus    []string
	Facts   []Fact // of Info
	Ignored string // why the family is not mapped
}

// Only selects series by one label. A label that is not there has the value "". The zero Only selects all.
type Only struct {
	Label string
	Is    []string // values that are selected; empty: all but Not
	Not   []string
}

// holds reports whether a value of the label is selected.
func (o Only) holds(value string) bool {
	return (len(o.Is) == 0 || slices.Contains(o.Is, value)) && !slices.Contains(o.Not, value)
}

// Conversion is between tokens and KV blocks. Where the engine does not tell its block size there is no point.
type Conversion uint8

const (
	// AsIs converts nothing.
	AsIs Conversion = iota
	// ToTokens multiplies by the tokens of a block.
	ToTokens
	// ToBlocks divides by the tokens of a block.
	ToBlocks
)

// Label maps a label to an attribute.
type Label struct {
	From []string // names of the label, the first found wins
	To   string
	// Values maps the engine's value to ours; a value that is not here stays as it is. A key that ends in * is a prefix.
	Values map[string]string
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
