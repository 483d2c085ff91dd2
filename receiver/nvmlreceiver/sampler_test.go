//go:build cgo && linux

package nvmlreceiver

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// values is GPM that answers these, one for each id.
type values []float64

func (v values) Sample() error                { return nil }
func (v values) Metric(i int) (float64, bool) { return v[i], true }
func (v values) Close()                       {}

// A value that is no number a sum can hold costs its sample only.
func TestGPMValuesThatAreNone(t *testing.T) {
	c := &handClock{now: time.Unix(1_700_000_000, 0)}
	l := newLedger(c.Now())
	s := sampler{clock: c, guard: newGuard(c), ledger: l}
	ids := []uint32{gpu.GPMSM, gpu.GPMPCIeTx}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1} {
		s.startGPM(values{bad, bad}, ids)
		c.advance(time.Second)
		require.True(t, s.tick(true))
		for _, id := range ids {
			assert.False(t, l.activity[id].seen(), "%f", bad)
		}
	}
	s.startGPM(values{50, 3}, ids)
	c.advance(time.Second)
	require.True(t, s.tick(true))
	assert.InDelta(t, 0.5, l.activity[gpu.GPMSM].value, 1e-9)
	assert.InDelta(t, 3, l.activity[gpu.GPMPCIeTx].value, 1e-9)
}
