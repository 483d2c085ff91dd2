package nixl

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recordings are files that released wheels of NIXL wrote, with what was done.
const recordings = "../../tests/engines/nixl/recordings"

type recording struct {
	dir   string
	Steps []struct {
		Op       string `json:"op"`
		Capacity uint64 `json:"capacity"`
		Bytes    uint64 `json:"bytes"`
		Status   string `json:"status"`
		Write    bool   `json:"write"`
		Post     uint64 `json:"post_us"`
		Duration uint64 `json:"duration_us"`
	} `json:"steps"`
}

func eachRecording(t *testing.T, variant string, check func(*testing.T, recording)) {
	paths, err := filepath.Glob(filepath.Join(recordings, "*", variant, "meta.json"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		r := recording{dir: filepath.Dir(path)}
		require.NoError(t, json.Unmarshal(raw, &r))
		t.Run(filepath.Base(filepath.Dir(r.dir)), func(t *testing.T) { check(t, r) })
	}
}

// truth is what get_xfer_telemetry said of each transfer, and what else was done.
type truth struct {
	tx, rx, registered, deregistered, time, post uint64
	transfers                                    [2]uint64
	errors                                       map[string]uint64
}

func (r recording) truth() truth {
	w := truth{errors: make(map[string]uint64)}
	for _, s := range r.Steps {
		switch s.Op {
		case "register":
			w.registered += s.Bytes
		case "deregister":
			w.deregistered += s.Bytes
		case "error":
			w.errors[strings.ToLower(s.Status)]++
		case "transfer":
			w.time, w.post = w.time+s.Duration, w.post+s.Post
			if s.Write {
				w.tx, w.transfers[Transmit] = w.tx+s.Bytes, w.transfers[Transmit]+1
			} else {
				w.rx, w.transfers[Receive] = w.rx+s.Bytes, w.transfers[Receive]+1
			}
		}
	}
	return w
}

func (w truth) check(t *testing.T, sums Sums) {
	assert.Equal(t, w.tx, sums[TxBytes])
	assert.Equal(t, w.rx, sums[RxBytes])
	assert.Equal(t, w.transfers[Transmit], sums[TxRequests])
	assert.Equal(t, w.transfers[Receive], sums[RxRequests])
	assert.Equal(t, w.registered, sums[MemoryRegistered])
	assert.Equal(t, w.deregistered, sums[MemoryDeregistered])
	assert.Equal(t, w.time, sums[XferTime])
	assert.Equal(t, w.post, sums[XferPostTime])
	for i, name := range ErrorNames() {
		assert.Equal(t, w.errors[name], sums.Errors()[i], name)
	}
}

// TestRealRingsTellWhatTheAgentsTold holds rings of released wheels against get_xfer_telemetry of the same transfers.
func TestRealRingsTellWhatTheAgentsTold(t *testing.T) {
	layouts := make(map[Layout]bool)
	eachRecording(t, "base", func(t *testing.T, r recording) {
		ring := open(t, filepath.Join(r.dir, "a.ring"))
		layout := ring.Geometry().Layout
		layouts[layout] = true
		tally := NewTally(layout)
		poll(t, ring, tally)
		want := r.truth()
		want.check(t, tally.Sums)
		for d := range want.transfers {
			assert.Equal(t, want.transfers[d], tally.Duration[d].Count(), "each transfer is pieced together")
		}
		assert.Zero(t, tally.Unknown)

		peer := open(t, filepath.Join(r.dir, "b.ring"))
		passive := NewTally(layout)
		poll(t, peer, passive)
		assert.Equal(t, truth{registered: 1 << 20}.registered, passive.Sums[MemoryRegistered])
		assert.Zero(t, passive.Sums[RxBytes]+passive.Sums[TxBytes], "the passive peer tells of no transfer")
	})
	for _, l := range []Layout{V1, V2Named, V2, V3, V4} {
		assert.True(t, layouts[l], "%s is recorded", l)
	}
}

func TestRealOverflowsAreSeen(t *testing.T) {
	eachRecording(t, "overflow", func(t *testing.T, r recording) {
		got := new(collected)
		p := poll(t, open(t, filepath.Join(r.dir, "a.ring")), got)
		assert.Equal(t, Polled{Read: 7, Waiting: 7, Full: true}, p)
	})
}

// TestRealRestartsKeepTheSecondLife reads what is left when an agent began anew in the file of the first.
func TestRealRestartsKeepTheSecondLife(t *testing.T) {
	eachRecording(t, "restart", func(t *testing.T, r recording) {
		ring, got := open(t, filepath.Join(r.dir, "a.ring")), new(collected)
		poll(t, ring, got)
		assert.Equal(t, uint64(16), ring.Geometry().Capacity)
		assert.Equal(t, []uint64{1 << 20}, got.values())
		assert.Equal(t, MemoryRegistered, got.events[0].Type)
	})
}

func TestRealHalfMadeFilesAreNotReady(t *testing.T) {
	eachRecording(t, "badsize", func(t *testing.T, r recording) {
		_, err := Open(filepath.Join(r.dir, "a.ring"), false)
		assert.ErrorIs(t, err, ErrInitialising)
	})
}

func TestRealStoresTellWhatTheAgentsTold(t *testing.T) {
	eachRecording(t, "store", func(t *testing.T, r recording) {
		raw := content(t, filepath.Join(r.dir, "0.mmap"))
		got, err := ParseStore(raw)
		require.NoError(t, err)
		want := r.truth()
		want.check(t, got.Sums)
		assert.Equal(t, "a", got.Agent)
		assert.Equal(t, "3", got.LocalRank)
		assert.Equal(t, want.time, got.DurationSum)
		assert.Equal(t, want.post, got.PostSum)
		assert.Equal(t, want.transfers[0]+want.transfers[1], sum(got.Duration))
		assert.Zero(t, got.Unknown)
	})
}

func sum(counts []uint64) (n uint64) {
	for c := range slices.Values(counts) {
		n += c
	}
	return n
}
