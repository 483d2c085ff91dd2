package facts

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheBookIsValidAndFindsByName(t *testing.T) {
	b, err := Load()
	require.NoError(t, err)
	m, ok := b.Model("meta-llama/Llama-3.1-70B-Instruct")
	require.True(t, ok)
	assert.InDelta(t, 70.6e9, m.Parameters, 1)
	assert.InDelta(t, m.Parameters, m.Active(), 0, "a dense model uses all of it")
	m, ok = b.Model("mistralai/Mixtral-8x7B-Instruct-v0.1")
	require.True(t, ok)
	assert.InDelta(t, 12.9e9, m.Active(), 1)
	m, ok = b.Model("mlx-community/Llama-3.2-3B-Instruct-8bit")
	require.True(t, ok)
	assert.InDelta(t, 3.21e9, m.Parameters, 1, "8bit is no 8B")
	_, ok = b.Model("")
	assert.False(t, ok)
	_, ok = b.Model("nobody/knows-this")
	assert.False(t, ok)

	for name, bandwidth := range map[string]float64{
		"NVIDIA H200": 4.8e12, "NVIDIA H100 80GB HBM3": 3.35e12, "NVIDIA H100 PCIe": 2.0e12, "NVIDIA A100-SXM4-80GB": 2.039e12,
		"NVIDIA H20": 4.0e12, "NVIDIA L4": 300e9, "NVIDIA L40S": 864e9, "NVIDIA B200": 7.7e12, "NVIDIA GB200": 8.0e12, "NVIDIA H100 NVL": 3.9e12,
	} {
		d, ok := b.Device("", name)
		require.True(t, ok, name)
		assert.InDelta(t, bandwidth, d.Bandwidth, 1, name)
	}
}

func TestConfiguredFactsComeFirst(t *testing.T) {
	own := Book{Models: []Model{{Names: []string{"*Llama-3*"}, Parameters: 1}}}
	embedded, err := Load()
	require.NoError(t, err)
	b := own.Over(embedded)
	m, ok := b.Model("Llama-3-8B")
	require.True(t, ok)
	assert.InDelta(t, 1, m.Parameters, 0)
	assert.Len(t, b.GPUs, len(embedded.GPUs))
	assert.Len(t, own.Models, 1, "the configuration is not written")
}

func TestPrecisionIsToldElseInTheName(t *testing.T) {
	assert.Equal(t, BF16, Precision("meta-llama/Llama-3.1-70B-Instruct"))
	assert.Equal(t, FP8, Precision("neuralmagic/Llama-3.1-70B-FP8"))
	assert.Equal(t, FP8, Precision("llama", "", "fp8"))
	assert.Equal(t, INT4, Precision("TheBloke/Llama-AWQ", "bfloat16"))
	assert.Equal(t, FP4, Precision("nvidia/Llama-3.3-70B-Instruct-NVFP4"))
	assert.Equal(t, FP4, Precision("llama", "modelopt_fp4"))
	assert.InDelta(t, 1, WeightBytes(FP8), 0)
	assert.InDelta(t, 0.5, WeightBytes(FP4), 0)
	assert.InDelta(t, 0.5, WeightBytes(INT4), 0)
	assert.InDelta(t, 2, WeightBytes(BF16), 0)
	assert.InDelta(t, 1, CacheBytes("fp8_e4m3"), 0)
	assert.InDelta(t, 2, CacheBytes("auto"), 0)
	a100 := Device{FLOPS: map[string]float64{BF16: 312e12}}
	assert.InDelta(t, 312e12, a100.Rate(FP8), 0, "a device without the type multiplies in 16 bits")
}

func TestFaultsAreNamed(t *testing.T) {
	err := Book{
		Models: []Model{{Parameters: 1, ActiveParameters: 2}},
		GPUs:   []Device{{Names: []string{"x"}, Bandwidth: -1}},
	}.Check()
	for _, text := range []string{
		"models[0].names must have at least 1 entry (got 0)", "models[0].layers must be positive (got 0)",
		"models[0].active_parameters must be between 0 and parameters, which are 1 (got 2)",
		"gpus[0].flops_per_second[bf16] must be positive (got 0)", "gpus[0].memory_bytes_per_second must be positive (got -1)",
	} {
		assert.ErrorContains(t, err, text)
	}
}
