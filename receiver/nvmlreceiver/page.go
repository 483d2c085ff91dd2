package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/metadata"
)

// vocabulary is what the points of this receiver may be called, and how they are scoped.
type vocabulary struct {
	metrics       map[string]signal.Metric
	version       string // of the collector
	pointIdentity bool
	host          string // host.name, "" when not known
}

// page collects the points of one device.
type page struct {
	words  *vocabulary
	id     gpu.Identity
	parent string // UUID of a MIG device's GPU
	slice  pmetric.MetricSlice
	byName map[string]pmetric.NumberDataPointSlice
}

// newPage adds a resource for a device.
func newPage(to pmetric.Metrics, words *vocabulary, id gpu.Identity, parent string) *page {
	rm := to.ResourceMetrics().AppendEmpty()
	setResource(rm.Resource().Attributes(), words, id, parent)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(metadata.ScopeName)
	sm.Scope().SetVersion(words.version)
	return &page{words, id, parent, sm.Metrics(), make(map[string]pmetric.NumberDataPointSlice)}
}

func setResource(a pcommon.Map, words *vocabulary, id gpu.Identity, parent string) {
	put := func(key, value string) {
		if value != "" {
			a.PutStr(key, value)
		}
	}
	put(signal.AttrHWID, id.UUID)
	put(signal.AttrHWType, signal.HWTypeGPU)
	put(signal.AttrHWName, id.Name)
	put(signal.AttrHWModel, id.Name)
	put(signal.AttrHWVendor, signal.HWVendorNVIDIA)
	put(signal.AttrHWSerial, id.Serial)
	put(signal.AttrHWFirmware, id.Firmware)
	put(signal.AttrGPUBusID, id.PCIBusID)
	put(signal.AttrHWParent, parent)
	if id.GPUInstance >= 0 {
		a.PutInt(signal.AttrGPUInstance, int64(id.GPUInstance))
		a.PutInt(signal.AttrGPUComputeInst, int64(id.ComputeInstance))
	}
	put(signal.AttrHostName, words.host)
}

// point adds a point of a metric. start is used for sums that begin at it.
func (p *page) point(name string, start, at time.Time) pmetric.NumberDataPoint {
	points, ok := p.byName[name]
	if !ok {
		points = p.metric(name)
		p.byName[name] = points
	}
	dp := points.AppendEmpty()
	if !start.IsZero() {
		dp.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	}
	dp.SetTimestamp(pcommon.NewTimestampFromTime(at))
	if p.words.pointIdentity {
		dp.Attributes().PutStr(signal.AttrHWID, p.id.UUID)
		dp.Attributes().PutStr(signal.AttrHWType, signal.HWTypeGPU)
	}
	return dp
}

func (p *page) metric(name string) pmetric.NumberDataPointSlice {
	word := p.words.metrics[name]
	m := p.slice.AppendEmpty()
	m.SetName(name)
	m.SetUnit(word.Unit)
	m.SetDescription(word.Description)
	switch word.Instrument {
	case signal.Sum, signal.UpDownCounter:
		sum := m.SetEmptySum()
		sum.SetIsMonotonic(word.Instrument == signal.Sum)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		return sum.DataPoints()
	default:
		return m.SetEmptyGauge().DataPoints()
	}
}

// double and integer add a point with one attribute, or with none when key is "".
func (p *page) double(name string, value float64, start, at time.Time, key, attribute string) {
	dp := p.point(name, start, at)
	dp.SetDoubleValue(value)
	if key != "" {
		dp.Attributes().PutStr(key, attribute)
	}
}

func (p *page) integer(name string, value int64, start, at time.Time, key, attribute string) {
	dp := p.point(name, start, at)
	dp.SetIntValue(value)
	if key != "" {
		dp.Attributes().PutStr(key, attribute)
	}
}

// sensor makes a point one of a sensor: the conventions give it an identity of its own, with the device as its parent.
func (p *page) sensor(dp pmetric.NumberDataPoint, kind, location string) {
	dp.Attributes().PutStr(signal.AttrHWSensor, location)
	if p.words.pointIdentity {
		dp.Attributes().PutStr(signal.AttrHWID, p.id.UUID+"/"+kind+"/"+location)
		dp.Attributes().PutStr(signal.AttrHWType, kind)
		dp.Attributes().PutStr(signal.AttrHWParent, p.id.UUID)
	}
}
