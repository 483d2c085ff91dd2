package nixl

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recordings holds files that released wheels of NIXL wrote, with what was done.
const recordings = "../../../tests/engines/nixl/recordings"

type recording struct {
	dir     string
	Version string `json:"version"`
	Host    string `json:"host"`
	Files   map[string]struct {
		Name string `json:"name"`
		Mode string `json:"mode"`
	} `json:"files"`
	Steps []step `json:"steps"`
}

type step struct {
	Op       string `json:"op"`
	Capacity uint64 `json:"capacity"`
	Bytes    uint64 `json:"bytes"`
	Status   string `json:"status"`
	Write    bool   `json:"write"`
	Post     int64  `json:"post_us"`
	Duration int64  `json:"duration_us"`
}

func readRecordings(t *testing.T, variant string) []recording {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(recordings, "*", variant, "meta.json"))
	require.NoError(t, err)
	require.NotEmpty(t, paths, "the recordings belong to the repository")
	var all []recording
	for _, path := range paths {
		meta, err := os.ReadFile(path)
		require.NoError(t, err)
		r := recording{dir: filepath.Dir(path)}
		require.NoError(t, json.Unmarshal(meta, &r))
		all = append(all, r)
	}
	return all
}

func (r recording) file(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(r.dir, name))
	require.NoError(t, err)
	return raw
}

// flushesAtEnd is so for releases up to 0.8.
func (r recording) flushesAtEnd() bool {
	return regexp.MustCompile(`^0\.[5-8]\.`).MatchString(r.Version)
}

func status(t *testing.T, name string) Status {
	t.Helper()
	for s := NotPosted; s.valid(); s++ {
		if s.event().status() == name {
			return s
		}
	}
	require.Fail(t, "no such status", name)
	return 0
}

// replay does to one of ours what was done to the recorded agent. What no step tells, the padding of an event and the time in one of
// V1, is taken from the slot of the recording that the event is about to have.
type replay struct {
	t        *testing.T
	layout   Layout
	recorded []entry
	flushEnd bool
	dir      string

	ring    *Ring
	now     time.Time
	staged  int // slots given to events since the start
	reads   int // of the clock since the last step
	written int
}

func (p *replay) clock() time.Time {
	at := p.staged + p.reads
	p.reads++
	if at < len(p.recorded) {
		return time.UnixMicro(int64(p.recorded[at].time))
	}
	return time.UnixMicro(0)
}

func (p *replay) pad() uint32 {
	p.written++
	return p.recorded[p.written-1].pad
}

func (p *replay) do(steps []step) {
	for _, s := range steps {
		p.reads = 0
		switch s.Op {
		case "start":
			p.start(s.Capacity)
		case "register":
			p.ring.Register(s.Bytes)
			p.staged++
		case "deregister":
			p.ring.Deregister(s.Bytes)
			p.staged++
		case "error":
			p.ring.Error(status(p.t, s.Status))
			p.staged++
		case "transfer":
			p.ring.Transfer(Transfer{
				Write: s.Write, Bytes: s.Bytes, Post: time.Duration(s.Post) * time.Microsecond,
				Duration: time.Duration(s.Duration) * time.Microsecond,
			})
			p.staged += 4
		case "flush":
			p.now = p.now.Add(time.Hour)
			p.ring.Flush(p.now)
		default:
			require.Fail(p.t, "unknown step", s.Op)
		}
	}
}

func (p *replay) start(capacity uint64) {
	if p.ring != nil {
		require.NoError(p.t, p.ring.Close())
	}
	p.staged, p.written, p.now = 0, 0, time.Now()
	var err error
	p.ring, err = Create(Options{
		Dir: p.dir, Agent: "a", Layout: p.layout, Capacity: capacity, Clock: p.clock, Pad: p.pad, FlushOnClose: p.flushEnd,
	})
	require.NoError(p.t, err)
}

// TestBytesOfTheLibrary replays every recording and compares whole files.
func TestBytesOfTheLibrary(t *testing.T) {
	seen := map[Layout]int{}
	for _, variant := range []string{"base", "overflow", "restart"} {
		for _, r := range readRecordings(t, variant) {
			t.Run(r.Version+"/"+variant, func(t *testing.T) {
				theirs := r.file(t, "a.ring")
				layout := layoutOf(t, theirs)
				_, recorded := decode(t, filepath.Join(r.dir, "a.ring"), layout)
				p := &replay{t: t, layout: layout, recorded: recorded, flushEnd: r.flushesAtEnd(), dir: t.TempDir()}
				p.do(r.Steps)
				ours, err := os.ReadFile(p.ring.Path())
				require.NoError(t, err)
				require.NoError(t, p.ring.Close())
				assert.Equal(t, hex.Dump(theirs), hex.Dump(ours))
				assert.Equal(t, "0o644", r.Files["a.ring"].Mode)
				seen[layout]++
			})
		}
	}
	for _, l := range []Layout{V1, V2Named, V2, V3, V4} {
		assert.GreaterOrEqual(t, seen[l], 3, l.String())
	}
}

// TestTheLibrarysPeerSaysNothing looks at the agent that others wrote to and read from.
func TestTheLibrarysPeerSaysNothing(t *testing.T) {
	for _, r := range readRecordings(t, "base") {
		layout := layoutOf(t, r.file(t, "b.ring"))
		h, all := decode(t, filepath.Join(r.dir, "b.ring"), layout)
		require.Len(t, unread(h, all), 1, r.Version)
		assert.Equal(t, uint64(1<<20), all[0].value)
	}
}

// TestTheLibrarysHalfMadeFile compares what a capacity of 6 leaves.
func TestTheLibrarysHalfMadeFile(t *testing.T) {
	for _, r := range readRecordings(t, "badsize") {
		theirs := r.file(t, "a.ring")
		layout := map[int]Layout{40 + 6*56: V1, 40 + 6*48: V2Named, 40 + 6*16: V4}[len(theirs)]
		dir := t.TempDir()
		_, err := Create(Options{Dir: dir, Agent: "a", Layout: layout, Capacity: 6})
		require.ErrorContains(t, err, "power of two")
		ours, err := os.ReadFile(filepath.Join(dir, "a"))
		require.NoError(t, err)
		assert.Equal(t, hex.Dump(theirs), hex.Dump(ours), r.Version)
	}
}

// TestStoreOfTheLibrary replays the recorded store.
func TestStoreOfTheLibrary(t *testing.T) {
	for _, r := range readRecordings(t, "store") {
		theirs := r.file(t, "0.mmap")
		name := strings.Split(r.Files["0.mmap"].Name, ".")
		require.Len(t, name, 5)
		pid, err := strconv.ParseInt(name[1], 10, 64)
		require.NoError(t, err)
		marker, err := strconv.ParseUint(name[2], 10, 64)
		require.NoError(t, err)
		c := newClock()
		s, err := CreateStore(StoreOptions{
			Dir: t.TempDir(), Agent: "a", Host: r.Host, LocalRank: "3", PID: pid, RunMarker: marker, Clock: c.read,
			Monotonic: func() uint64 { return binary.LittleEndian.Uint64(theirs[24:]) },
		})
		require.NoError(t, err)
		require.Equal(t, "start", r.Steps[0].Op)
		for _, step := range r.Steps[1:] {
			tell(t, s, c, step)
		}
		ours, err := os.ReadFile(s.Path())
		require.NoError(t, err)
		assert.Equal(t, r.Files["0.mmap"].Name, filepath.Base(s.Path()))
		info, err := os.Stat(s.Path())
		require.NoError(t, err)
		assert.Equal(t, r.Files["0.mmap"].Mode, fmt.Sprintf("0o%o", info.Mode()))
		require.NoError(t, s.Close())
		assert.Equal(t, hex.Dump(theirs), hex.Dump(ours), r.Version)
	}
}

func tell(t *testing.T, to Telemetry, c *clock, s step) {
	t.Helper()
	switch s.Op {
	case "register":
		to.Register(s.Bytes)
	case "deregister":
		to.Deregister(s.Bytes)
	case "error":
		to.Error(status(t, s.Status))
	case "transfer":
		to.Transfer(Transfer{
			Write: s.Write, Bytes: s.Bytes, Post: time.Duration(s.Post) * time.Microsecond,
			Duration: time.Duration(s.Duration) * time.Microsecond,
		})
	case "flush":
		c.flush(to)
	default:
		require.Fail(t, "unknown step", s.Op)
	}
}
