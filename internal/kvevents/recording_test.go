package kvevents

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
)

// recordings have what a real vLLM published while it was under load, its page at moments when it was idle, and what its answers told
// of each request. tests/engines/README.md says how they were made.
const recordings = "../../tests/engines/recordings/*-kvevents"

// blockTokens and concurrency are those of the server and the load of the recordings.
const (
	blockTokens = 32
	concurrency = 4
)

type recording struct {
	Snapshots []struct {
		File     string `json:"file"`
		After    string `json:"after"`
		Requests int    `json:"client_requests_completed"`
		Messages int    `json:"messages"`
	} `json:"snapshots"`
	messages [][3][]byte // topic, sequence number, payload
	requests [][3]int    // prompt, completion and cached tokens
}

func readRecording(t *testing.T, dir string) recording {
	t.Helper()
	var r recording
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return b
	}
	require.NoError(t, json.Unmarshal(read("meta.json"), &r))
	require.NoError(t, json.Unmarshal(read("requests.json"), &r.requests))
	for b := read("kv-events.frames"); len(b) > 0; {
		var message [3][]byte
		for i := range message {
			require.GreaterOrEqual(t, len(b), 4)
			n := int(binary.BigEndian.Uint32(b))
			require.GreaterOrEqual(t, len(b), 4+n)
			message[i], b = b[4:4+n], b[4+n:]
		}
		r.messages = append(r.messages, message)
	}
	require.NotEmpty(t, r.Snapshots)
	require.Equal(t, len(r.messages), r.Snapshots[len(r.Snapshots)-1].Messages)
	return r
}

// page reads a series of a recorded page that has one engine.
func page(t *testing.T, path, pattern string) float64 {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	m := regexp.MustCompile(`(?m)^vllm:` + pattern).FindSubmatch(b)
	require.NotNil(t, m, pattern)
	v, err := strconv.ParseFloat(string(m[1]), 64)
	require.NoError(t, err)
	return v
}

// cleared counts the clearings, beside what the index makes of the events.
type cleared struct {
	*kvcache.Index
	n int
}

func (c *cleared) Clear() { c.n++; c.Index.Clear() }

// TestRecordingsOfEvents holds the index against the engine: the hits and the room of the cache against the page, the blocks stored
// against what the requests had to store.
func TestRecordingsOfEvents(t *testing.T) {
	dirs, err := filepath.Glob(recordings)
	require.NoError(t, err)
	require.NotEmpty(t, dirs, "the recordings belong to the repository")
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { replay(t, dir, readRecording(t, dir)) })
	}
}

func replay(t *testing.T, dir string, r recording) {
	sink := &cleared{Index: kvcache.NewIndex(kvcache.Settings{
		MemoryLimit: 4 << 20, Horizon: time.Minute, ExactBlocks: 1 << 16, SampledBlocks: 1 << 12, MaxDistance: 1 << 16,
	}, true)}
	var decoder Decoder
	at := 0
	for _, s := range r.Snapshots {
		for ; at < s.Messages; at++ {
			message := r.messages[at]
			assert.EqualValues(t, at, binary.BigEndian.Uint64(message[1]), "sequence number")
			report, err := decoder.Decode(message[2], sink)
			require.NoError(t, err)
			assert.Zero(t, report.Malformed+report.Foreign)
			assert.Zero(t, report.Rank)
		}
		check(t, sink, r.requests[:s.Requests], filepath.Join(dir, s.File))
	}
	assert.Equal(t, 1, sink.n, "resets of the prefix cache")
}

// check compares at a moment when the engine is idle.
func check(t *testing.T, sink *cleared, requests [][3]int, file string) {
	got := sink.Totals()
	stored, output, cached := 0, 0, 0 // blocks, blocks, tokens
	for _, q := range requests {
		found, prompt := q[2]/blockTokens, q[0]/blockTokens
		all := (q[0] + q[1] - 1) / blockTokens // the last token is sampled, and never computed: it has no KV
		stored += all - found
		output += all - prompt
		if prompt == found && all > prompt {
			output-- // it ends the prompt too, and is the first that the request stores: it cannot be told from a block of the prompt
		}
		cached += q[2]
	}
	hits := page(t, file, `prefix_cache_hits_total\{.*\} (\S+)$`)
	blocks := page(t, file, `cache_config_info\{.*num_gpu_blocks="(\d+)"`)
	t.Logf("%s: %d requests; stored %d, removed %d, resident %d of %v; hits %d of %v tokens; stored tokens by cause %v",
		filepath.Base(file), len(requests), got.Stored[kvcache.GPU], got.Removed[kvcache.GPU], got.Resident[kvcache.GPU], blocks-1,
		got.HitTokens, hits, got.StoredTokens)
	assert.EqualValues(t, cached, hits, "the page and the answers")
	assert.EqualValues(t, hits, got.HitTokens)
	assert.EqualValues(t, stored, got.Stored[kvcache.GPU])
	assert.EqualValues(t, output*blockTokens, got.StoredTokens[kvcache.Generated])
	assert.Zero(t, got.UnknownRemovals)
	assert.True(t, sink.State().Known)
	assert.Zero(t, page(t, file, `kv_cache_usage_perc\{.*\} (\S+)$`), "idle")
	// One block is the engine's null block. Of those that requests have filled in part, each request under way had one at most, or two
	// with the block of the next token.
	if got.Removed[kvcache.GPU] > 0 {
		assert.LessOrEqual(t, got.Resident[kvcache.GPU], int64(blocks)-1)
		assert.GreaterOrEqual(t, got.Resident[kvcache.GPU], int64(blocks)-1-2*concurrency)
	}
}
