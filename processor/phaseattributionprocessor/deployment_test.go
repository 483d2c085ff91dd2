package phaseattributionprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-inference/otelcol-inference/internal/facts"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
	"github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor/internal/metadata"
)

func workerOf(model string) pcommon.Map {
	m := pcommon.NewMap()
	m.PutStr(signal.AttrModel, model)
	m.PutStr(signal.AttrServiceInstanceID, "10.0.0.7:8000")
	return m
}

func TestADeploymentIsToldByRulesEngineAndGPUs(t *testing.T) {
	book, err := facts.Load()
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	h200 := &gpu{id: "GPU-1", names: []string{"NVIDIA H200", ""}}

	d := cfg.deploymentOf(book, workerOf("meta-llama/Llama-3.1-70B-Instruct"), configured{}, []*gpu{h200, h200})
	require.True(t, d.Known())
	assert.InDelta(t, 2, d.TensorParallel, 0, "each joined GPU holds a part")
	assert.Equal(t, facts.BF16, d.Precision)

	d = cfg.deploymentOf(book, workerOf("llama-3-70b"), configured{tensorParallel: 4, quantization: "fp8", cacheType: "fp8_e5m2"}, []*gpu{h200})
	assert.InDelta(t, 4, d.TensorParallel, 0)
	assert.Equal(t, facts.FP8, d.Precision)
	assert.InDelta(t, 1, d.CacheBytes, 0)

	cfg.Deployments = []DeploymentRule{
		{Match: GPUMatch{Model: "other"}, GPU: "a100"},
		{Match: GPUMatch{Instance: "10.0.0.7:*"}, Model: "llama-3-8b", GPU: "NVIDIA H100 80GB HBM3", TensorParallel: 1},
	}
	d = cfg.deploymentOf(book, workerOf("chat"), configured{}, nil)
	require.True(t, d.Known(), "a rule tells all that is missing")
	assert.InDelta(t, 3.35e12, d.Device.Bandwidth, 1)

	cfg.Deployments = nil
	assert.False(t, cfg.deploymentOf(book, workerOf("chat"), configured{}, []*gpu{h200}).Known(), "no such model")
	assert.False(t, cfg.deploymentOf(book, workerOf("llama-3-8b"), configured{}, nil).Known(), "no GPU")
	assert.False(t, cfg.deploymentOf(book, workerOf("llama-3-8b"), configured{pipelineParallel: 2}, []*gpu{h200}).Known(), "steps overlap")
}

func TestRulesWithoutTensorParallelAreSaidOnceAtStart(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	set := processortest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	cfg := createDefaultConfig().(*Config)
	cfg.Deployments = []DeploymentRule{{GPU: "h100", TensorParallel: 2}, {GPU: "h200"}, {Model: "llama-3-8b"}, {GPU: "a100"}}
	p, err := newProcessor(set, cfg, consumertest.NewNop(), newRegistry(), wall.Clock{})
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, p.Shutdown(t.Context()))
	said := logs.FilterMessageSnippet("tensor_parallel").All()
	require.Len(t, said, 1)
	assert.Equal(t, []any{1, 3}, said[0].ContextMap()["rules"])
}

func TestWhatAnEngineTellsOfItself(t *testing.T) {
	m := pmetric.NewMetric()
	m.SetName(signal.EngineInfo)
	dp := m.SetEmptyGauge().DataPoints().AppendEmpty()
	dp.Attributes().PutStr(signal.AttrEngineVersion, "0.11.0")
	dp.Attributes().PutDouble(signal.AttrTensorParallel, 4)
	dp.Attributes().PutBool(signal.AttrPrefixCaching, true)
	c, ok := readInfo(m)
	require.True(t, ok)
	assert.Equal(t, configured{version: "0.11.0", tensorParallel: 4, prefixCaching: "true"}, c)

	assert.Empty(t, c.changed(configured{}), "a fact that is told for the first time")
	assert.Empty(t, configured{}.changed(c), "a fact that is told no more")
	other := c
	other.prefixCaching = "false"
	assert.Equal(t, signal.AttrPrefixCaching, other.changed(c))
	_, ok = readInfo(pmetric.NewMetric())
	assert.False(t, ok)
}

func TestFaultsOfDeploymentsAreNamed(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Deployments = []DeploymentRule{{TensorParallel: -1, Precision: "fp7"}}
	cfg.Facts = facts.Book{Models: []facts.Model{{}}}
	err := cfg.Validate()
	assert.ErrorContains(t, err, "deployments[0].tensor_parallel must be between 0 and 1024 (got -1)")
	assert.ErrorContains(t, err, `deployments[0].precision must be bf16, fp8, fp4 or int4 (got "fp7")`)
	assert.ErrorContains(t, err, "facts: models[0].names must have at least 1 entry (got 0)")
}
