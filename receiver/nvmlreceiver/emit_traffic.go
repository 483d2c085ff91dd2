package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// activity emits the integrals of the units.
func (e *emitter) activity() {
	if e.on(signal.GPUActivityTime) {
		for _, unit := range []struct {
			id   int
			name string
		}{
			{gpu.GPMGraphics, signal.UnitGraphics}, {gpu.GPMSM, signal.UnitSM}, {gpu.GPMOccupancy, signal.UnitOccupancy},
			{gpu.GPMTensor, signal.UnitTensor}, {gpu.GPMDRAM, signal.UnitDRAM},
		} {
			if i := &e.ledger.activity[unit.id]; i.due() {
				e.page.double(signal.GPUActivityTime, i.value, i.start, i.at, signal.AttrGPUUnit, unit.name)
			}
		}
	}
	e.pipes()
	if e.on(signal.GPUSampleCount) {
		count := func(s *samples, sampler string) {
			if s.due() {
				e.page.integer(signal.GPUSampleCount, int64(s.n), s.start, s.at, signal.AttrGPUSampler, sampler)
			}
		}
		count(&e.ledger.samples.gpm, signal.SamplerGPM)
		count(&e.ledger.samples.driver, signal.SamplerUtilization)
	}
}

func (e *emitter) pipes() {
	if !e.on(signal.GPUPipeActivityTime) {
		return
	}
	for _, pipe := range []struct {
		id   int
		name string
	}{
		{gpu.GPMTensorH, "tensor_hmma"}, {gpu.GPMTensorI, "tensor_imma"}, {gpu.GPMTensorDF, "tensor_dfma"}, {gpu.GPMTensorD, "tensor_dmma"},
		{gpu.GPMFP64, "fp64"}, {gpu.GPMFP32, "fp32"}, {gpu.GPMFP16, "fp16"}, {gpu.GPMInteger, "integer"},
	} {
		if i := &e.ledger.activity[pipe.id]; i.due() {
			e.page.double(signal.GPUPipeActivityTime, i.value, i.start, i.at, signal.AttrGPUPipe, pipe.name)
		}
	}
}

// traffic emits what went over the links: bytes, and as activity of the links.
func (e *emitter) traffic() {
	for i, way := range []struct {
		direction          string
		pcieGPM, nvlinkGPM int
		pcie, nvlink       uint32
		pcieUnit, nvUnit   string
	}{
		{"receive", gpu.GPMPCIeRx, gpu.GPMNVLinkRx, gpu.FieldPCIeRx, gpu.FieldNVLinkRx, signal.UnitPCIeRx, signal.UnitNVLinkRx},
		{"transmit", gpu.GPMPCIeTx, gpu.GPMNVLinkTx, gpu.FieldPCIeTx, gpu.FieldNVLinkTx, signal.UnitPCIeTx, signal.UnitNVLinkTx},
	} {
		from := &e.ledger.sources[i]
		pcieField, nvlinkField := fieldKey{way.pcie, 0}, fieldKey{way.nvlink, gpu.AllLinks}
		// The driver's bytes of PCIe may wrap; its KiB of NVLink are exact.
		e.ledger.decide(&from.pcie, way.pcieGPM, pcieField, false, e.sampler.gpm != nil)
		e.ledger.decide(&from.nvlink, way.nvlinkGPM, nvlinkField, true, e.sampler.gpm != nil)
		pcie, hasPCIe := e.ledger.traffic(from.pcie, way.pcieGPM, pcieField, 1)
		nvlink, hasNVLink := e.ledger.traffic(from.nvlink, way.nvlinkGPM, nvlinkField, 1024)
		if hasPCIe {
			e.link(pcie, "pcie", way.direction, e.ledger.speeds.pcie, way.pcieUnit)
			// Without NVLink's share of this time it would look as if nothing had gone over it.
			if all := pcie; e.on(signal.HWGPUIO) && (hasNVLink || from.nvlink == undecided) {
				all.bytes += nvlink.bytes
				e.page.integer(signal.HWGPUIO, int64(all.bytes), all.start, all.at, signal.AttrNetDirection, way.direction)
			}
		}
		if hasNVLink {
			e.link(nvlink, "nvlink", way.direction, e.ledger.speeds.nvlink, way.nvUnit)
		}
	}
	e.nvlinks()
}

func (e *emitter) link(t traffic, kind, direction string, speed float64, unit string) {
	if e.on(signal.GPUIO) {
		dp := e.page.point(signal.GPUIO, t.start, t.at)
		dp.SetIntValue(int64(t.bytes))
		dp.Attributes().PutStr(signal.AttrGPULink, kind)
		dp.Attributes().PutStr(signal.AttrNetDirection, direction)
	}
	if e.on(signal.GPUActivityTime) && speed > 0 {
		e.page.double(signal.GPUActivityTime, t.bytes/speed, t.start, t.at, signal.AttrGPUUnit, unit)
	}
}

// nvlinks emits bytes by link.
func (e *emitter) nvlinks() {
	if !e.on(signal.GPUNVLinkIO) {
		return
	}
	for link := range uint32(maxNVLinks) {
		for _, way := range []struct {
			field     uint32
			direction string
		}{{gpu.FieldNVLinkRx, "receive"}, {gpu.FieldNVLinkTx, "transmit"}} {
			c := e.ledger.fields[fieldKey{way.field, link}]
			if c == nil || !c.due() {
				continue
			}
			dp := e.page.point(signal.GPUNVLinkIO, c.start, c.at)
			dp.SetIntValue(int64(c.total * 1024))
			dp.Attributes().PutInt(signal.AttrGPUNVLink, int64(link))
			dp.Attributes().PutStr(signal.AttrNetDirection, way.direction)
		}
	}
}

// errors emits what went wrong in the memories and on the links.
func (e *emitter) errors() {
	sum := func(metric string, id uint32, key, value string) {
		if c := e.ledger.fields[fieldKey{id, scopeOf(id)}]; e.on(metric) && c != nil && c.due() {
			e.page.integer(metric, int64(c.total), c.start, c.at, key, value)
		}
	}
	sum(signal.HWErrors, gpu.FieldECCCorrected, signal.AttrErrorType, "corrected")
	sum(signal.HWErrors, gpu.FieldECCUncorrected, signal.AttrErrorType, "uncorrected")
	sum(signal.GPUNVLinkErrors, gpu.FieldNVLinkCRCFlit, signal.AttrGPUNVLinkError, "crc_flit")
	sum(signal.GPUNVLinkErrors, gpu.FieldNVLinkCRCData, signal.AttrGPUNVLinkError, "crc_data")
	sum(signal.GPUNVLinkErrors, gpu.FieldNVLinkReplay, signal.AttrGPUNVLinkError, "replay")
	sum(signal.GPUNVLinkErrors, gpu.FieldNVLinkRecovery, signal.AttrGPUNVLinkError, "recovery")
	sum(signal.GPUPCIeReplays, gpu.FieldPCIeReplay, "", "")
	if e.on(signal.GPUXIDCount) {
		for _, x := range e.ledger.xids.all() {
			dp := e.page.point(signal.GPUXIDCount, x.start, e.at)
			dp.SetIntValue(int64(x.n))
			dp.Attributes().PutInt(signal.AttrGPUXID, int64(x.code))
		}
	}
}

// repairs emits what the board has recorded of bad memory.
func (e *emitter) repairs() {
	record := func(metric string, id uint32, key, value string) {
		if v, ok := e.state(id); ok && e.on(metric) {
			e.page.integer(metric, int64(v), time.Time{}, e.at, key, value)
		}
	}
	record(signal.GPULifetimeErrors, gpu.FieldECCLifeCorrected, signal.AttrErrorType, "corrected")
	record(signal.GPULifetimeErrors, gpu.FieldECCLifeUncorrected, signal.AttrErrorType, "uncorrected")
	record(signal.GPURetiredPages, gpu.FieldRetiredSingle, signal.AttrErrorType, "corrected")
	record(signal.GPURetiredPages, gpu.FieldRetiredDouble, signal.AttrErrorType, "uncorrected")
	record(signal.GPURemappedRows, gpu.FieldRemappedCorrected, signal.AttrErrorType, "corrected")
	record(signal.GPURemappedRows, gpu.FieldRemappedUncorrect, signal.AttrErrorType, "uncorrected")
	if _, rows := e.state(gpu.FieldRemappedPending); rows {
		record(signal.GPUMemoryRepair, gpu.FieldRemappedPending, signal.AttrGPURepair, "pending")
	} else { // GPUs before Ampere retire pages instead
		record(signal.GPUMemoryRepair, gpu.FieldRetiredPending, signal.AttrGPURepair, "pending")
	}
	record(signal.GPUMemoryRepair, gpu.FieldRemappedFailure, signal.AttrGPURepair, "failed")
}
