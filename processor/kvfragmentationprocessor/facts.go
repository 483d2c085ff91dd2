package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// vllm keeps one block of its pool for itself, and counts it in what it says of the pool's size.
const vllm = "vllm"

// maxGPUs bounds the GPUs of one worker that are remembered.
const maxGPUs = 64

// facts are what a worker says of itself that is no amount over time. 0 is unknown.
type facts struct {
	capacity, blockSize float64 // tokens
	blocks              float64 // of the pool, where the engine tells them
	groups              [kvcache.MaxGroups]groupFacts
	poolBytes           float64 // of the KV pool, as the engine says
	weightBytes         float64 // as the engine says
	told                told
	uncached            bool // prefix caching is off
	role                string
	gpus                []string // hw.id

	computed, generated float64 // tokens since the engine began
	eventsAt            int64   // data time of the last word of KV events
}

// learn takes what is of use in a metric.
func (f *facts) learn(m pmetric.Metric) {
	switch m.Name() {
	case signal.KVCapacityTokens:
		f.capacity = newest(m, f.capacity, nil)
	case signal.KVCapacityBlocks:
		f.blocks = newest(m, f.blocks, nil)
	case signal.KVGroupBlockSize, signal.KVGroupWindow:
		f.learnGroups(m)
	case signal.KVBlockSize:
		f.blockSize = newest(m, f.blockSize, nil)
	case signal.MemoryUsage:
		f.poolBytes = newest(m, f.poolBytes, has(signal.AttrMemoryUse, signal.MemoryKVPool))
		f.weightBytes = newest(m, f.weightBytes, has(signal.AttrMemoryUse, signal.MemoryWeights))
	case signal.TokensPrompt:
		f.computed = newest(m, f.computed, has(signal.AttrTokenSource, signal.TokenSourceLocalCompute))
	case signal.TokensGenerated:
		f.generated = newest(m, f.generated, nil)
	case signal.KVEventsKnown:
		for _, dp := range points(m).All() {
			f.eventsAt = max(f.eventsAt, int64(dp.Timestamp()))
		}
	case signal.EngineInfo:
		f.info(m)
	case signal.EngineGPUInfo:
		f.gpus = f.gpus[:0]
		for _, dp := range points(m).All() {
			if id := derive.Text(dp.Attributes(), signal.AttrHWID); id != "" && len(f.gpus) < maxGPUs && !slices.Contains(f.gpus, id) {
				f.gpus = append(f.gpus, id)
			}
		}
	}
}

func (f *facts) info(m pmetric.Metric) {
	for _, dp := range points(m).All() {
		if v, ok := dp.Attributes().Get(signal.AttrPrefixCaching); ok && v.Type() == pcommon.ValueTypeBool {
			f.uncached = !v.Bool()
		}
		if role := derive.Text(dp.Attributes(), signal.AttrRole); role != "" {
			f.role = role
		}
		f.told.learn(dp.Attributes())
	}
}

// pool is the size of the pool in blocks, 0 when unknown.
func (f *facts) pool(engine string) float64 {
	if f.blockSize <= 0 || f.room() < f.blockSize {
		return 0
	}
	blocks := f.room() / f.blockSize
	if engine == vllm {
		blocks--
	}
	return blocks
}

// room is that of all blocks of the pool in tokens, which is more than the tokens that it can hold where a token takes several blocks.
func (f *facts) room() float64 {
	if f.blocks > 0 && f.blockSize > 0 {
		return f.blocks * f.blockSize
	}
	return f.capacity
}

func has(key, value string) func(pcommon.Map) bool {
	return func(a pcommon.Map) bool { return derive.Text(a, key) == value }
}

func points(m pmetric.Metric) pmetric.NumberDataPointSlice {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints()
	}
	return pmetric.NewNumberDataPointSlice()
}

// newest is the value of the newest point that fits, or the one before.
func newest(m pmetric.Metric, before float64, fits func(pcommon.Map) bool) float64 {
	var at pcommon.Timestamp
	for _, dp := range points(m).All() {
		if dp.Timestamp() >= at && !dp.Flags().NoRecordedValue() && (fits == nil || fits(dp.Attributes())) {
			at, before = dp.Timestamp(), derive.Number(dp)
		}
	}
	return before
}
