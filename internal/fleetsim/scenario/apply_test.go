package scenario

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// The end of one fault of the network leaves another one alone.
func TestFaultsEndOnTheirOwn(t *testing.T) {
	s, err := Load(write(t, `
pools: [{role: prefill, model: llama-3-8b, tensor_parallel: 1}, {role: decode, model: llama-3-8b, tensor_parallel: 1}]
workload: {custom: {requests_per_second: 5, prompt_tokens: [[0, 200], [1, 400]], output_tokens: [[0, 5], [1, 20]]}}
faults:
  - {at: 10s, for: 20s, hiccups: {stall: 1ms, chance: 0.5}}
  - {at: 20s, tcp_fallback: {pairs: 1}}
  - {at: 25s, restart: {worker: 1, downtime: 10s}}
  - {at: 28s, restart: {worker: 1, downtime: 1s}}
  - {at: 40s, for: 5s, speed: {worker: 0, factor: 0.5}}
`), Options{})
	require.NoError(t, err)
	at := func(limit time.Duration) *fleetsim.Fleet {
		f, err := s.Run(limit)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, f.Close()) })
		return f
	}
	during := at(15 * time.Second)
	assert.Equal(t, 0.5, during.Link(0).Hiccups.Chance)
	assert.Zero(t, during.Truth().Transfers.TCP.Transfers)
	f := at(42 * time.Second)
	assert.Zero(t, f.Link(0).Hiccups.Chance)
	assert.Equal(t, 1.0, f.Link(0).Fallback.Pairs)
	assert.Equal(t, fleetsim.DefaultLink().Fallback.Bandwidth, f.Link(0).Fallback.Bandwidth)
	assert.Positive(t, f.Truth().Transfers.TCP.Transfers)
	assert.Equal(t, int64(1), f.Truth().Faults.Restarts, "a worker that is down is not restarted again")
	assert.Equal(t, 0.5, f.Speed(0))
	assert.Equal(t, 1.0, at(46*time.Second).Speed(0))
}
