package kvfragmentationprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/kvfragmentationprocessor"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	book "github.com/otelcol-inference/otelcol-inference/internal/facts"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Methods by which sizes are known, the best first.
const (
	methodConfigured = "configured"
	methodTold       = "engine"      // the engine tells the bytes of its pool, or of its weights
	methodTable      = "model_facts" // from what is published of the model, and the data types that the engine tells
)

// tableTrust is what the confidence of an estimate is multiplied by when the sizes in it are those of the table: engines may pad or
// replicate what the model's shape does not show, and do not always tell their data types.
const tableTrust = 0.8

// told is what an engine tells of the form of its model.
type told struct {
	cacheType, quantization, dataType string
	tensorParallel                    float64
}

// learn takes what is given; what is not stays as it was.
func (t *told) learn(a pcommon.Map) {
	for key, to := range map[string]*string{
		signal.AttrCacheDataType: &t.cacheType, signal.AttrQuantization: &t.quantization, signal.AttrDataType: &t.dataType,
	} {
		if v := derive.Text(a, key); v != "" {
			*to = v
		}
	}
	if v, ok := a.Get(signal.AttrTensorParallel); ok {
		switch v.Type() {
		case pcommon.ValueTypeInt:
			t.tensorParallel = float64(v.Int())
		case pcommon.ValueTypeDouble:
			t.tensorParallel = v.Double()
		}
	}
}

// size is an amount of bytes and how it is known; 0 when it is not.
type size struct {
	bytes  float64
	method string
}

// trust is what it leaves of a confidence.
func (s size) trust(confidence float64) float64 {
	if s.method == methodTable {
		return tableTrust * confidence
	}
	return confidence
}

// tokenSize is what a token's KV takes over all GPUs of the worker. GPUs beyond the KV heads hold copies of them.
func (w *worker) tokenSize() size {
	f, m := &w.facts, &w.model
	switch {
	case w.sizes.KVBytesPerToken > 0:
		return size{w.sizes.KVBytesPerToken, methodConfigured}
	case f.poolBytes > 0 && f.capacity > 0:
		return size{f.poolBytes / f.capacity, methodTold}
	case m.Layers > 0:
		gpus := max(f.told.tensorParallel, 1)
		return size{2 * m.Layers * max(m.KVHeads, gpus) * m.HeadSize * book.CacheBytes(f.told.cacheType), methodTable}
	}
	return size{}
}

// roomSize is what a token's room in the pool takes over all GPUs of the worker: the KV of a token of all layers, or of the layers of one
// group where it takes room in several.
func (w *worker) roomSize() size {
	s, n := w.tokenSize(), 0.0
	if s.method == methodTold {
		s.bytes = w.facts.poolBytes / w.facts.room()
		return s
	}
	for _, g := range w.facts.groups {
		if g.block > 0 {
			n++
		}
	}
	s.bytes /= max(n, 1)
	return s
}

// weightSize is what the weights take over all GPUs of the worker.
func (w *worker) weightSize() size {
	f := &w.facts
	switch {
	case w.sizes.WeightBytes > 0:
		return size{w.sizes.WeightBytes, methodConfigured}
	case f.weightBytes > 0:
		return size{f.weightBytes, methodTold}
	case w.model.Parameters > 0:
		precision := book.Precision(w.modelName, f.told.quantization, f.told.dataType)
		return size{w.model.Parameters * book.WeightBytes(precision), methodTable}
	}
	return size{}
}
