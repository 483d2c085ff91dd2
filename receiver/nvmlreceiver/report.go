package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/metadata"
)

// quiet is how long a failure of the same call on the same device is not logged again. The counters have each.
const quiet = 30 * time.Second

// maxRemembered bounds what is remembered of calls: MIG devices come and go under new UUIDs.
const maxRemembered = 4096

// subjectNVML is what trouble is about that is not about one device.
const subjectNVML = "NVML"

// reporter says how reading goes: counters for each failure, a log line once for what a device does not support and rarely for the
// rest, the component status on change. It is safe for concurrent use.
type reporter struct {
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
	clock     clock

	mu       sync.Mutex
	hosts    []component.Host
	warned   map[call]bool // said once
	loggedAt map[call]time.Time
	troubles map[string]string // by subject; what the status says
	asides   map[string]bool   // subjects that are told in the log only, and are in trouble
	said     string            // the status that was reported last, "" for none
	silent   bool              // the receiver has ended
}

// call is a function on a device.
type call struct {
	device   string
	function string
}

func newReporter(telemetry *metadata.TelemetryBuilder, logger *zap.Logger, c clock) *reporter {
	return &reporter{
		telemetry: telemetry, logger: logger, clock: c,
		warned: make(map[call]bool), loggedAt: make(map[call]time.Time), troubles: make(map[string]string), asides: make(map[string]bool),
	}
}

// addHost takes a host to report the status to; each signal's pipeline has one.
func (r *reporter) addHost(h component.Host) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hosts = append(r.hosts, h)
	if r.said != "" {
		componentstatus.ReportStatus(h, componentstatus.NewRecoverableErrorEvent(errors.New(r.said)))
	}
}

// silence ends all reports: a thread that the driver held may come back after the end.
func (r *reporter) silence() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = true
}

// unsupported takes that a device refuses a question, which is not asked again for a while, or at all.
func (r *reporter) unsupported(device string, q gpu.Question, err error) {
	r.count(q, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.silent || r.warned[call{device, q.String()}] {
		return
	}
	r.warn(call{device, q.String()})
	r.logger.Warn("The GPU does not tell everything that the metrics want; what is missing stays absent",
		zap.String("hw.id", device), zap.Error(err))
}

func (r *reporter) warn(c call) {
	if len(r.warned) >= maxRemembered {
		clear(r.warned)
	}
	r.warned[c] = true
}

// unsupportedFields takes field ids that a device does not have.
func (r *reporter) unsupportedFields(device string, ids []uint32) {
	if len(ids) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.silent || r.warned[call{device, gpu.FieldValues.String()}] {
		return
	}
	r.warn(call{device, gpu.FieldValues.String()})
	r.logger.Warn("The GPU does not tell everything that the metrics want; what is missing stays absent",
		zap.String("hw.id", device), zap.String("function", gpu.FieldValues.String()), zap.Uint32s("fields", ids))
}

// failed takes that a call failed this time.
func (r *reporter) failed(device string, q gpu.Question, err error) {
	r.count(q, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	if last, ok := r.loggedAt[call{device, q.String()}]; r.silent || ok && now.Sub(last) < quiet {
		return
	}
	if len(r.loggedAt) >= maxRemembered {
		clear(r.loggedAt)
	}
	r.loggedAt[call{device, q.String()}] = now
	r.logger.Warn("A call of NVML failed", zap.String("hw.id", device), zap.Error(err))
}

func (r *reporter) count(q gpu.Question, err error) {
	reason := "failed"
	switch gpu.CodeOf(err) {
	case gpu.NotSupported, gpu.FunctionNotFound, gpu.DeprecatedFunction, gpu.InvalidArgument:
		reason = "not_supported"
	case gpu.NoPermission:
		reason = "no_permission"
	case gpu.GPULost, gpu.ResetRequired:
		reason = "gpu_lost"
	}
	r.telemetry.ReceiverNvmlCallFailures.Add(context.Background(), 1,
		metric.WithAttributes(attribute.String("function", q.String()), attribute.String("reason", reason)))
}

// trouble takes what is wrong with a subject, nil for nothing.
func (r *reporter) trouble(subject string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, had := r.troubles[subject]
	switch {
	case r.silent, err == nil && !had, err != nil && had && err.Error() == before:
		return
	case err == nil:
		delete(r.troubles, subject)
		r.logger.Info("Reading goes on", zap.String("subject", subject))
	default:
		r.troubles[subject] = err.Error()
		if !had {
			r.logger.Warn("Reading is held up", zap.String("subject", subject), zap.Error(err))
		}
	}
	r.status()
}

// aside takes what is wrong with something that the GPUs are read without: it is logged when it changes and is no error of the
// component.
func (r *reporter) aside(subject string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.silent || (err != nil) == r.asides[subject]:
	case err != nil:
		r.logger.Warn("A part of the picture is missing", zap.String("subject", subject), zap.Error(err))
	default:
		r.logger.Info("The picture is whole again", zap.String("subject", subject))
	}
	r.asides[subject] = err != nil
}

// status reports when it has changed: a recoverable error while there is trouble, else OK.
func (r *reporter) status() {
	text := ""
	for _, subject := range sortedKeys(r.troubles) {
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("%s: %s", subject, r.troubles[subject])
	}
	if text == r.said {
		return
	}
	r.said = text
	for _, h := range r.hosts {
		if text == "" {
			componentstatus.ReportStatus(h, componentstatus.NewEvent(componentstatus.StatusOK))
		} else {
			componentstatus.ReportStatus(h, componentstatus.NewRecoverableErrorEvent(errors.New(text)))
		}
	}
}
