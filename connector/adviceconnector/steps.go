package adviceconnector // import "github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"

import (
	"time"

	"go.uber.org/zap"
)

// restart goes on with an advisor that has observed nothing, after the clock was set. Standing advice is taken over, as over a restart of the
// collector. The caller holds the lock.
func (a *adviser) restart(now time.Time) {
	data, err := a.advisor.Snapshot()
	a.advisor = a.cfg.advisor()
	a.reader.advisor = a.advisor
	if err == nil {
		err = a.advisor.Restore(data, now)
	}
	if err != nil {
		a.logger.Warn("Standing advice of before the clock was set is not known", zap.Error(err))
	}
}
