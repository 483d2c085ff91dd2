package main

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

const siliconHeader = "backend,model_path,system,precision,mode,isl,osl,batch_size,tp_size,silicon_ttft_ms,silicon_tpot_ms\n"

func silicon(t *testing.T, rows string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "silicon.csv")
	require.NoError(t, os.WriteFile(path, []byte(siliconHeader+rows), 0o600))
	return path
}

func TestServingRowsAreRead(t *testing.T) {
	rows, err := servingRows(silicon(t, "vllm,meta-llama/Llama-3.1-70B,h200_sxm,fp8,agg,1024,1024,4.0,8.0,73.0,7.93\nvllm,x,h200_sxm,fp8,disagg,1,1,1,1,1,1\n"))
	require.NoError(t, err)
	require.Len(t, rows, 1, "disaggregated rows are left out")
	assert.Equal(t, servingRow{
		backend: "vllm", model: "meta-llama/Llama-3.1-70B", gpu: "h200", precision: "fp8", tensorParallel: 8,
		promptTokens: 1024, outputTokens: 1024, concurrency: 4, ttft: 0.073, tpot: 7.93e-3,
	}, rows[0])
	assert.True(t, rows[0].representable())
	assert.False(t, rows[0].fitted())
}

func TestServingRowErrorsNameFileLineAndValue(t *testing.T) {
	path := silicon(t, "vllm,m,h200_sxm,fp8,agg,1024,x,4,8,73,7.93\n")
	_, err := servingRows(path)
	require.EqualError(t, err, path+`: line 2: osl: not a number: "x"`)
}

// A benchmark's mean TTFT must contain the queue that its first requests, all sent at once, build up.
func TestBenchmarkStartsWithAQueue(t *testing.T) {
	figures, err := fleetsim.PhysicsFigures()
	require.NoError(t, err)
	row := servingRow{
		backend: "vllm", model: "meta-llama/Llama-3.1-70B", gpu: "h200", precision: "fp8", tensorParallel: 8,
		promptTokens: 1024, outputTokens: 64, concurrency: 2, ttft: 1, tpot: 1,
	}
	few, err := row.simulate(figures, row.stack())
	require.NoError(t, err)
	row.concurrency = 32
	many, err := row.simulate(figures, row.stack())
	require.NoError(t, err)
	assert.Greater(t, many.ttft, 2*few.ttft)
	assert.Greater(t, few.ttft, 0.02)
	assert.InDelta(t, many.tpot-1, many.tpotError, 1e-12)
}

func TestMedianLeavesOutWhatWasNotMeasured(t *testing.T) {
	assert.Equal(t, 2.0, median([]float64{0, 3, 1, 0, 2}))
	assert.Equal(t, 1.5, median([]float64{1, 2}))
	assert.True(t, math.IsNaN(median([]float64{0})))
}
