package phaseattributionprocessor // import "github.com/otelcol-inference/otelcol-inference/processor/phaseattributionprocessor"

import (
	"maps"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/facts"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// configured is what an engine tells of its configuration, as far as a step's cost depends on it.
type configured struct {
	version, variant, dataType, quantization, cacheType, prefixCaching string
	tensorParallel, pipelineParallel                                   float64
}

// readInfo reads the points of llm.engine.info; ok is false without any.
func readInfo(m pmetric.Metric) (c configured, ok bool) {
	if m.Type() != pmetric.MetricTypeGauge {
		return c, false
	}
	for _, dp := range m.Gauge().DataPoints().All() {
		if dp.Flags().NoRecordedValue() {
			continue
		}
		a := dp.Attributes()
		said := func(key string) string {
			if v, ok := a.Get(key); ok {
				return v.AsString()
			}
			return ""
		}
		c = configured{
			version: said(signal.AttrEngineVersion), variant: said(signal.AttrEngineVariant), dataType: said(signal.AttrDataType),
			quantization: said(signal.AttrQuantization), cacheType: said(signal.AttrCacheDataType), prefixCaching: said(signal.AttrPrefixCaching),
			tensorParallel: figure(a, signal.AttrTensorParallel), pipelineParallel: figure(a, signal.AttrPipelineParallel),
		}
		ok = true
	}
	return c, ok
}

func figure(a pcommon.Map, key string) float64 {
	v, ok := a.Get(key)
	if !ok {
		return 0
	}
	switch v.Type() {
	case pcommon.ValueTypeDouble:
		return v.Double()
	case pcommon.ValueTypeInt:
		return float64(v.Int())
	}
	return 0
}

// changed reports whether the engine runs with another configuration than it told before, and what changed. A fact that is told for the
// first time is no change.
func (c configured) changed(before configured) (what string) {
	was := before.texts()
	for name, now := range c.texts() {
		if old, ok := was[name]; ok && old != now {
			return name
		}
	}
	return ""
}

// texts are the facts that were told, by attribute.
func (c configured) texts() map[string]string {
	all := map[string]string{
		signal.AttrEngineVersion: c.version, signal.AttrEngineVariant: c.variant, signal.AttrDataType: c.dataType,
		signal.AttrQuantization: c.quantization, signal.AttrCacheDataType: c.cacheType, signal.AttrPrefixCaching: c.prefixCaching,
		signal.AttrTensorParallel: spelt(c.tensorParallel), signal.AttrPipelineParallel: spelt(c.pipelineParallel),
	}
	maps.DeleteFunc(all, func(_, text string) bool { return text == "" })
	return all
}

// configuredAs is the inverse of texts.
func configuredAs(texts map[string]string) configured {
	number := func(key string) float64 {
		v, err := strconv.ParseFloat(texts[key], 64)
		if err != nil || !(v > 0) {
			return 0
		}
		return v
	}
	return configured{
		version: texts[signal.AttrEngineVersion], variant: texts[signal.AttrEngineVariant], dataType: texts[signal.AttrDataType],
		quantization: texts[signal.AttrQuantization], cacheType: texts[signal.AttrCacheDataType], prefixCaching: texts[signal.AttrPrefixCaching],
		tensorParallel: number(signal.AttrTensorParallel), pipelineParallel: number(signal.AttrPipelineParallel),
	}
}

func spelt(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// deploymentOf is what a worker runs on, by rules, by what its engine tells and by the GPUs that are joined. It is not Known while one of
// model, GPU and their number is missing, and where layers are spread in a pipeline, whose steps overlap.
func (c *Config) deploymentOf(book facts.Book, worker pcommon.Map, engine configured, gpus []*gpu) (d serving.Deployment) {
	if engine.pipelineParallel > 1 {
		return d
	}
	var rule DeploymentRule
	for i := range c.Deployments {
		if c.Deployments[i].fits(worker) {
			rule = c.Deployments[i]
			break
		}
	}
	name := derive.Text(worker, signal.AttrModel)
	if rule.Model != "" {
		name = rule.Model
	}
	d.Model, _ = book.Model(name)
	names := []string{rule.GPU}
	if rule.GPU == "" && len(gpus) > 0 {
		names = gpus[0].names
	}
	d.Device, _ = book.Device(names...)
	d.CacheBytes = facts.CacheBytes(engine.cacheType)
	if d.Precision = rule.Precision; d.Precision == "" {
		d.Precision = facts.Precision(name, engine.quantization, engine.dataType)
	}
	for _, n := range []float64{float64(rule.TensorParallel), engine.tensorParallel, float64(len(gpus))} {
		if n > 0 {
			d.TensorParallel = n
			break
		}
	}
	return d
}
