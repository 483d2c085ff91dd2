package nvmlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver"

import (
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/xid"
)

// health is a value of hw.state.
type health string

// The states of the semantic conventions.
const (
	healthOK        health = "ok"
	healthDegraded  health = "degraded"
	healthFailed    health = "failed"
	healthPredicted health = "predicted_failure"
)

func healths() []health { return []health{healthOK, healthDegraded, healthFailed, healthPredicted} }

// Recovery actions of nvmlDeviceGpuRecoveryAction_t that leave the GPU in use; the others are resets and reboots.
const (
	recoveryNone     = 0
	recoveryDrainP2P = 3
	recoveryIMEX     = 5
)

// health judges a GPU that answers, the gravest first. One that does not answer has failed.
func (r *reader) health() health {
	set := func(id uint32) bool {
		v, ok := r.state(id)
		return ok && v != 0
	}
	severity, recent := r.ledger.xids.recent(r.clock.Now())
	action, _ := r.state(gpu.FieldRecoveryAction)
	drains := action == recoveryDrainP2P || action == recoveryIMEX
	switch {
	case action != recoveryNone && !drains, recent && severity == xid.Fatal, set(gpu.FieldRemappedFailure):
		return healthFailed
	case set(gpu.FieldRemappedPending), set(gpu.FieldRetiredPending):
		return healthPredicted
	case drains, recent:
		return healthDegraded
	default:
		return healthOK
	}
}
