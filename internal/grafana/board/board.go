// Package board turns declared dashboards into Grafana's JSON: the look, the variables and the layout are here once, what a panel
// shows and what to do about it is declared by its user.
package board // import "github.com/otelcol-inference/otelcol-inference/internal/grafana/board"

// Dashboard is one page of panels.
type Dashboard struct {
	File      string // without folder and extension
	Title     string
	Help      string
	Variables []Variable
	Rows      []Row
}

// Variable is a choice at the top of the page. Its name is that of promql.Variable.
type Variable struct {
	Name, Label string
	Query       string // label_values(...)
}

// Row is a question and the panels that answer it.
type Row struct {
	Title  string
	Panels []Panel
}

// Kind is how a panel draws.
type Kind string

// Kinds of panels.
const (
	Lines Kind = "lines" // lines over time
	Stack Kind = "stack" // amounts over time that add up
	Share Kind = "share" // the same as shares of their sum
	Stat  Kind = "stat"  // the last value of each series, large
	Bars  Kind = "bars"  // the last value of each series, as bars
	Table Kind = "table" // the last value of each series with its labels
)

// Units, by Grafana's identifiers.
const (
	Seconds    = "s"
	Ratio      = "percentunit" // 0..1
	PerSecond  = "reqps"
	Count      = "short"
	Bytes      = "bytes"
	ByteRate   = "binBps"
	Watts      = "watt"
	Joules     = "joule"
	Celsius    = "celsius"
	Hertz      = "hertz"
	PlainRatio = "none"
)

// Panel is one chart.
type Panel struct {
	Title   string
	Help    string // what it shows, and what to do when it looks bad
	Kind    Kind
	Unit    string
	Width   uint32 // of 24; 0: 8
	Queries []Query
	// Limits colour a Stat or Bars from such a value on; without any the colour means nothing.
	Limits []Limit
}

// Query is one expression of a panel.
type Query struct {
	Expr   string
	Legend string
	// Quiet says why a healthy fleet has nothing here. Without it, no data is a defect.
	Quiet string
}

// Limit is a value from which on something deserves attention.
type Limit struct {
	From  float64
	Color string
}

// Colours, by meaning, the same on the page and in every panel.
const (
	Prefill      = "#6E40AA"
	Decode       = "#1FA8C9"
	Transfer     = "#D98C00"
	Mixed        = "#4774BA" // half way between prefill and decode; a panel cannot hatch
	Idle         = "#8E8E8E"
	Unattributed = "#C8C8C8"
	Warning      = "#D98C00"
	Critical     = "#C4162A"
	Good         = "#37872D"
)
