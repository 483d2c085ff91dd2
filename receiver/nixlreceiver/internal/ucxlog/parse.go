// Package ucxlog finds in the logs of engines which transport UCX chose, from the tables that UCX_PROTO_INFO=y makes it print: one
// for each endpoint configuration and operation. An endpoint that lists a transport is no proof of its use; the rows of "remote
// memory read" and "remote memory write" are, for transfers of NIXL are these operations. Active messages are its control path.
package ucxlog // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/ucxlog"

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Transport is what a lane uses.
type Transport string

// Transports.
const (
	RDMA    Transport = "rdma"
	TCP     Transport = "tcp"
	Local   Transport = "local"   // shared memory, or the GPUs of one host
	Unknown Transport = "unknown" // several of the above, or none that is known
)

// Choice is what UCX chose for large transfers of one direction.
type Choice struct {
	Agent     string // UCX calls its worker after it; "" in releases of NIXL whose workers have no names
	PID       int    // in the namespace of the engine
	Write     bool   // else read
	Transport Transport
	Lanes     string    // as printed: "rc_mlx5/mlx5_0:1/path0"
	Time      time.Time // by the line; by a Tail, else that of the last change of the file
	Log       string    // its path; "" from a Parser
}

// Parser follows the lines of one log. Lines of several processes may be mixed.
type Parser struct {
	line, title, lane, stamp *regexp.Regexp
	tables                   map[int]*table // by process
}

// table is what was read of a table's head.
type table struct {
	agent   string
	titled  bool // its title was the line before
	payload bool // of remote memory, and not with itself
	self    bool
	write   bool
}

// maxProcesses bounds the processes of one log.
const maxProcesses = 1024

// NewParser returns a parser.
func NewParser() *Parser {
	return &Parser{
		// [time] [host:process:thread], the numbers padded with spaces to five and one digits.
		line:   regexp.MustCompile(`\[[^\[\]]*:(\d+) *:\d+ *\]\s+\|(.*)\|\s*$`),
		title:  regexp.MustCompile(`^(.*) (self|intra-node|inter-node) cfg#\d+`),
		lane:   regexp.MustCompile(`\b([a-z][a-z0-9_]*)/[A-Za-z0-9_.:-]+`),
		stamp:  regexp.MustCompile(`\[(\d{1,11})\.(\d{1,9})\d*\]\s+\[`),
		tables: make(map[int]*table),
	}
}

// Line reads one line, as UCX or Docker's json-file driver writes it, and returns a choice if it has one.
func (p *Parser) Line(text string) (Choice, bool) {
	if !strings.Contains(text, "|") {
		return Choice{}, false
	}
	text = unwrap(text)
	m := p.line.FindStringSubmatch(text)
	if m == nil {
		return Choice{}, false
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		return Choice{}, false
	}
	cells := strings.Split(m[2], "|")
	t := p.tables[pid]
	switch {
	case len(cells) == 1:
		p.head(pid, strings.TrimSpace(cells[0]))
	case len(cells) == 2: // as UCX prints it in NIXL up to 1.2: who and which operation on one line
		p.head(pid, strings.TrimSpace(cells[0]))
		p.head(pid, strings.TrimSpace(cells[1]))
	case len(cells) == 3 && t != nil && t.payload && strings.HasSuffix(strings.TrimSpace(cells[0]), "..inf"):
		lanes := strings.TrimSpace(cells[2])
		return Choice{Agent: t.agent, PID: pid, Write: t.write, Transport: p.classify(lanes), Lanes: lanes, Time: p.time(text)}, true
	}
	return Choice{}, false
}

// unwrap takes a line out of what Docker's json-file driver makes of it.
func unwrap(text string) string {
	if !strings.HasPrefix(text, "{") {
		return text
	}
	var entry struct {
		Log string `json:"log"`
	}
	if json.Unmarshal([]byte(text), &entry) != nil {
		return text
	}
	return entry.Log
}

// time is when a line was printed; zero when it does not say.
func (p *Parser) time(text string) time.Time {
	m := p.stamp.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(m[1], 10, 64)
	fraction, failed := strconv.ParseInt((m[2] + "000000000")[:9], 10, 64)
	if err != nil || failed != nil {
		return time.Time{}
	}
	return time.Unix(seconds, fraction)
}

// head reads the two lines above a table: who, and which operation.
func (p *Parser) head(pid int, text string) {
	t := p.tables[pid]
	if m := p.title.FindStringSubmatch(text); m != nil {
		if t == nil && len(p.tables) == maxProcesses {
			return
		}
		t = &table{agent: m[1], titled: true, self: m[2] == "self"}
		if strings.HasPrefix(t.agent, "ucp_context_") {
			t.agent = ""
		}
		p.tables[pid] = t
		return
	}
	if t == nil || !t.titled {
		return
	}
	t.titled = false
	t.write = strings.HasPrefix(text, "remote memory write")
	t.payload = !t.self && (t.write || strings.HasPrefix(text, "remote memory read"))
}

// classify reads lanes such as "52% on tcp/lo and 48% on tcp/eth0".
func (p *Parser) classify(lanes string) Transport {
	seen := make(map[Transport]bool)
	copies := false
	for _, m := range p.lane.FindAllStringSubmatch(lanes, -1) {
		name := m[1]
		switch {
		case name == "tcp":
			seen[TCP] = true
		case strings.HasPrefix(name, "rc_"), strings.HasPrefix(name, "dc_"), strings.HasPrefix(name, "ud_"), name == "srd", name == "gga_mlx5":
			seen[RDMA] = true
		case strings.HasSuffix(name, "_copy"):
			copies = true // to or from a bounce buffer; another lane takes the bytes away
		case name == "posix", name == "sysv", name == "cma", name == "xpmem", name == "knem", strings.HasSuffix(name, "_ipc"):
			seen[Local] = true
		default:
			return Unknown
		}
	}
	if len(seen) == 0 && copies {
		return Local
	}
	if len(seen) != 1 {
		return Unknown
	}
	for t := range seen {
		return t
	}
	return Unknown
}
