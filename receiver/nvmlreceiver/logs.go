package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/xid"
)

// takeXID counts an XID and makes a log event of it. id is the GPU; an event of a MIG device comes from its GPU, with the instance.
func (r *nvmlReceiver) takeXID(ctx context.Context, e gpu.Event, id gpu.Identity, ledger *ledger) {
	meaning := r.xids.Lookup(e.XID)
	ledger.xids.add(meaning, ledger.since, r.clock.Now())
	if r.logs == nil {
		return
	}
	ctx = r.obsreport.StartLogsOp(ctx)
	err := r.logs.ConsumeLogs(ctx, r.xidEvent(e, id, meaning))
	r.obsreport.EndLogsOp(ctx, metadata.Type.String(), 1, err)
	if err != nil {
		r.set.Logger.Warn("The pipeline refuses an XID", zap.String("hw.id", id.UUID), zap.Uint64("xid", e.XID), zap.Error(err))
	}
}

func (r *nvmlReceiver) xidEvent(e gpu.Event, id gpu.Identity, meaning xid.Meaning) plog.Logs {
	out := plog.NewLogs()
	rl := out.ResourceLogs().AppendEmpty()
	setResource(rl.Resource().Attributes(), r.words, id, "")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName(metadata.ScopeName)
	sl.Scope().SetVersion(r.set.BuildInfo.Version)
	record := sl.LogRecords().AppendEmpty()
	at := pcommon.NewTimestampFromTime(r.clock.Now())
	record.SetTimestamp(at)
	record.SetObservedTimestamp(at)
	record.SetEventName(signal.EventXID)
	record.SetSeverityNumber(severity(meaning.Severity))
	record.SetSeverityText(record.SeverityNumber().String())
	record.Body().SetStr(fmt.Sprintf("XID %d: %s", e.XID, meaning.Text))
	a := record.Attributes()
	a.PutInt(signal.AttrGPUXID, int64(e.XID))
	a.PutStr(signal.AttrGPUXIDClass, string(meaning.Class))
	if e.GPUInstance >= 0 {
		a.PutInt(signal.AttrGPUInstance, int64(e.GPUInstance))
	}
	if e.ComputeInstance >= 0 {
		a.PutInt(signal.AttrGPUComputeInst, int64(e.ComputeInstance))
	}
	return out
}

func severity(s xid.Severity) plog.SeverityNumber {
	switch s {
	case xid.Info:
		return plog.SeverityNumberInfo
	case xid.Warning:
		return plog.SeverityNumberWarn
	case xid.Error:
		return plog.SeverityNumberError
	default:
		return plog.SeverityNumberFatal
	}
}
