package nixl_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// The rings that a real prefill and decode vLLM left, read by a running receiver: it tells what the pages of the pair say.
func TestTheRingsOfARealPair(t *testing.T) {
	const recorded = "../engines/recordings/pair-vllm-0.32.0-cpu"
	said := map[string]float64{} // by family, over both pages
	dir := t.TempDir()
	for _, role := range []string{"prefill", "decode"} {
		ring, err := os.ReadFile(filepath.Join(recorded, role+".ring"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, role), ring, 0o600))
		page, err := os.ReadFile(filepath.Join(recorded, role+"-001.prom"))
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?m)^vllm:nixl_(\w+)\{.*\} (\S+)$`).FindAllStringSubmatch(string(page), -1) {
			v, err := strconv.ParseFloat(m[2], 64)
			require.NoError(t, err)
			said[m[1]] += v
		}
	}
	require.Positive(t, said["bytes_transferred_sum"])
	r := read(t, dir, map[string]any{"collection_interval": "100ms", "rescan_interval": "1s"})
	r.eventually(r.is(signal.NIXLTransferIO, said["bytes_transferred_sum"]), "bytes of the pages")
	for name, family := range map[string]string{
		signal.NIXLTransferCount: "bytes_transferred_count", signal.NIXLTransferTime: "xfer_time_seconds_count",
		signal.NIXLTransferPost: "post_time_seconds_count", signal.NIXLTransferSize: "bytes_transferred_count",
	} {
		told, _ := r.value(name)
		assert.InDelta(t, said[family], told, 0, "%s and vllm:nixl_%s", name, family)
	}
	busy, _ := r.value(signal.NIXLBusyTime)
	assert.InDelta(t, said["xfer_time_seconds_sum"], busy, 1e-7)
}
