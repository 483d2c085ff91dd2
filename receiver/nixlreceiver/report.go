package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/metadata"
)

// reporter says how reading goes: counters for everything, the log and the component status on change. What it is told of an agent
// is told under the fleet's lock.
type reporter struct {
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger

	mu      sync.Mutex
	host    component.Host
	known   int               // agents told to the telemetry
	cut     int               // files that were not looked at, told to the telemetry
	standby map[string]string // what was last said, by subject; "" is well
}

func newReporter(telemetry *metadata.TelemetryBuilder, logger *zap.Logger) *reporter {
	return &reporter{telemetry: telemetry, logger: logger, standby: make(map[string]string)}
}

func (r *reporter) events(n int) {
	if n > 0 {
		r.telemetry.ReceiverNixlEvents.Add(context.Background(), int64(n))
	}
}

func (r *reporter) agents(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.telemetry.ReceiverNixlAgents.Add(context.Background(), int64(n-r.known))
	r.known = n
}

// turn takes what a poll of a ring changed.
func (r *reporter) turn(a *agent, t turn) {
	path := zap.String("path", a.path)
	switch {
	case t.rival:
		r.logger.Warn("Another reader empties a ring of NIXL, so it is only observed from now on", path)
	case t.taken:
		r.logger.Info("Nobody else empties a ring of NIXL, so it is consumed from now on", path)
	case t.denied != nil:
		r.logger.Warn("A ring of NIXL cannot be consumed, so it is only observed", path, zap.Error(t.denied))
	}
	if t.restarted {
		r.logger.Info("An agent of NIXL began anew", path)
	}
	if t.filled {
		r.logger.Warn("A ring of NIXL filled up, and what its agent exported since is lost: set a larger NIXL_TELEMETRY_BUFFER_SIZE",
			path, zap.Uint64("capacity", a.ring.Geometry().Capacity))
	}
	r.polled(a, t.failure)
}

// polled counts failures, and logs the first of each spell.
func (r *reporter) polled(a *agent, err error) {
	if err == nil {
		a.failing = false
		return
	}
	why := "changed"
	if errors.Is(err, nixl.ErrPosition) {
		why = "position"
	}
	r.telemetry.ReceiverNixlPollErrors.Add(context.Background(), 1, metric.WithAttributes(attribute.String("reason", why)))
	if !a.failing {
		a.failing = true
		r.logger.Warn("A ring of NIXL cannot be read", zap.String("path", a.path), zap.Error(err))
	}
}

// refused takes a file that is not read.
func (r *reporter) refused(path string, err error) {
	why := reason(err)
	r.telemetry.ReceiverNixlFilesRejected.Add(context.Background(), 1, metric.WithAttributes(attribute.String("reason", why)))
	r.logger.Warn("A file of NIXL is not read; it is left as it is", zap.String("path", path), zap.String("reason", why), zap.Error(err))
}

// cutOff takes how many files the directories have beyond those that are looked at, and counts the new ones.
func (r *reporter) cutOff(n int) {
	if n > r.cut {
		r.telemetry.ReceiverNixlFilesRejected.Add(context.Background(), int64(n-r.cut), metric.WithAttributes(attribute.String("reason", "limit")))
	}
	r.cut = n
}

// closed takes the end of an agent's file.
func (r *reporter) closed(a *agent, err error) {
	if err != nil {
		r.logger.Debug("A file of NIXL did not close well", zap.String("path", a.path), zap.Error(err))
	}
}

// read takes how a store was read.
func (r *reporter) read(a *agent, err error) {
	if a.store == nil {
		return
	}
	if err == nil {
		a.failing = false
		return
	}
	if !a.failing {
		a.failing = true
		r.logger.Warn("A store of NIXL cannot be read", zap.String("path", a.path), zap.Error(err))
	}
}

func (r *reporter) processes(err error) {
	r.say("processes", "The processes of the host cannot be looked through", err)
}

func (r *reporter) logs(err error) { r.say("logs", "The engines' logs cannot all be read", err) }

// listing takes how the directories could be listed, which is the component's status.
func (r *reporter) listing(err error) {
	if !r.say("directories", "NIXL's directories cannot be read", err) || r.host == nil {
		return
	}
	if err != nil {
		componentstatus.ReportStatus(r.host, componentstatus.NewRecoverableErrorEvent(err))
		return
	}
	componentstatus.ReportStatus(r.host, componentstatus.NewEvent(componentstatus.StatusOK))
}

// say logs when a subject changes, and returns whether it did.
func (r *reporter) say(subject, message string, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := ""
	if err != nil {
		now = err.Error()
	}
	if r.standby[subject] == now {
		return false
	}
	r.standby[subject] = now
	if err != nil {
		r.logger.Warn(message, zap.Error(err))
	} else {
		r.logger.Info("Recovered: "+message, zap.Bool("failing", false))
	}
	return true
}
