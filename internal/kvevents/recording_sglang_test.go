package kvevents

import (
	"encoding/binary"
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

// TestRecordingOfSGLang holds what a real SGLang published against what its clients were told and its page says.
func TestRecordingOfSGLang(t *testing.T) {
	dir := filepath.Dir(recordings) + "/sglang-0.5.23-cpu"
	r := readRecording(t, dir)
	index := kvcache.NewIndex(kvcache.Settings{
		MemoryLimit: 4 << 20, Horizon: time.Minute, ExactBlocks: 1 << 16, SampledBlocks: 1 << 12, MaxDistance: 1 << 16,
	}, true)
	first := binary.BigEndian.Uint64(r.messages[0][1])
	var decoder Decoder
	for i, message := range r.messages {
		assert.Equal(t, first+uint64(i), binary.BigEndian.Uint64(message[1]), "sequence number")
		report, err := decoder.Decode(message[2], index)
		require.NoError(t, err)
		assert.Zero(t, report.Malformed+report.Foreign)
	}
	got := index.Totals()
	cached := 0
	for _, q := range r.requests {
		cached += q[2]
	}
	assert.EqualValues(t, cached, got.HitTokens, "tokens found, as the answers tell")
	page, err := os.ReadFile(filepath.Join(dir, r.Snapshots[len(r.Snapshots)-1].File))
	require.NoError(t, err)
	says := func(name string) (n uint64) {
		m := regexp.MustCompile(`(?m)^sglang:` + name + `\{.*\} (\S+)$`).FindSubmatch(page)
		require.NotNil(t, m, name)
		v, err := strconv.ParseFloat(string(m[1]), 64)
		require.NoError(t, err)
		return uint64(v)
	}
	size := says("page_size")
	assert.Equal(t, says("evicted_tokens_total"), size*got.Removed[kvcache.GPU])
	assert.Equal(t, says("kv_evictable_tokens"), size*uint64(got.Resident[kvcache.GPU]), "nothing runs, so that all content can be evicted")
	assert.Zero(t, got.UnknownRemovals)
}
