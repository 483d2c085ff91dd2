package nixl

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRingsOfAPair holds the rings that a prefill and a decode vLLM left against what their pages say of the same transfers.
func TestRingsOfAPair(t *testing.T) {
	dir := "../../tests/engines/recordings/pair-vllm-0.32.0-cpu"
	onPage := func(role, family string) uint64 {
		raw, err := os.ReadFile(filepath.Join(dir, role+"-001.prom"))
		require.NoError(t, err)
		m := regexp.MustCompile(`(?m)^vllm:` + family + `\{.*\} (\S+)$`).FindSubmatch(raw)
		require.NotNil(t, m, family)
		v, err := strconv.ParseFloat(string(m[1]), 64)
		require.NoError(t, err)
		return uint64(v*1e6 + 0.5)
	}
	for _, role := range []string{"prefill", "decode"} {
		raw, err := os.ReadFile(filepath.Join(dir, role+".ring"))
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), role)
		require.NoError(t, os.WriteFile(path, raw, 0o600))
		r, err := Open(path, false)
		require.NoError(t, err)
		tally := NewTally(r.Geometry().Layout)
		p, err := r.Poll(new(Scratch), tally)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		t.Logf("%s: %v, capacity %d, read %d, sums %v", role, r.Geometry().Layout, r.Geometry().Capacity, p.Read, tally.Sums)
		assert.Zero(t, tally.Unknown)
		assert.Equal(t, onPage(role, "nixl_bytes_transferred_sum"), (tally.Sums[RxBytes]+tally.Sums[TxBytes])*1e6, "bytes")
		assert.Equal(t, onPage(role, "nixl_xfer_time_seconds_sum"), tally.Sums[XferTime], "microseconds")
		assert.Equal(t, onPage(role, "nixl_post_time_seconds_sum"), tally.Sums[XferPostTime], "microseconds")
	}
}
