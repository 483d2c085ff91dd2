// Package xid says what the XID codes of NVIDIA's driver mean and how grave they are. A code is no health flag: many of them are
// the fault of a program, and the GPU is as good as before.
package xid // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/xid"

// Class says whose trouble a code is.
type Class string

const (
	// Application means that a program did something wrong; the GPU is well.
	Application Class = "application"
	// Memory means that device memory, or the record of its bad parts, is affected.
	Memory Class = "memory"
	// Link means PCIe, NVLink or C2C.
	Link Class = "link"
	// Driver means the driver or the firmware of the GPU.
	Driver Class = "driver"
	// Hardware means the board otherwise: power, clocks, engines.
	Hardware Class = "hardware"
	// Other means that the code is not in the table.
	Other Class = "unknown"
)

// Severity says what a code asks of people.
type Severity uint8

const (
	// Info asks nothing; the driver took care of it.
	Info Severity = iota
	// Warning ended or may have ended a program, or foretells trouble.
	Warning
	// Error means that the GPU is not to be trusted until it was looked at or reset.
	Error
	// Fatal means that the GPU does not work until it is reset, the host restarted, or the board replaced.
	Fatal
)

// Meaning is what a code means.
type Meaning struct {
	Code     uint64
	Class    Class
	Severity Severity
	Text     string
}

// Degrades says whether the GPU is worse than before, the severities above Warning and trouble that is not a program's.
func (m Meaning) Degrades() bool { return m.Class != Application && m.Severity >= Warning }

// Table holds the meanings by code.
type Table struct{ byCode map[uint64]Meaning }

// NewTable returns the table of known codes.
func NewTable() *Table {
	known := meanings()
	t := &Table{make(map[uint64]Meaning, len(known))}
	for _, m := range known {
		t.byCode[m.Code] = m
	}
	return t
}

// Lookup is the meaning of a code. One that is not known is a warning of class Other.
func (t *Table) Lookup(code uint64) Meaning {
	if m, ok := t.byCode[code]; ok {
		return m
	}
	return Meaning{code, Other, Warning, "a code that this version does not know"}
}
