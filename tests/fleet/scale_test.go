package fleet

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// TestGatewayPassesFleets sends two fleets through the shipped gateway as fast as it takes them: what it accepted is at the backend, once, and
// both fleets are judged.
func TestGatewayPassesFleets(t *testing.T) {
	scale(t, load{fleets: 2, each: 10, rounds: 30})
}

const (
	// settled is after how many intervals CPU is measured: then fleets are evaluated.
	settled = 4
	// judged is after how many each was.
	judged = 28
)

// TestGatewayScale is 10,000 workers in 200 fleets at 10 s, for docs/sizing.md. GATEWAY_ROUNDS is how many intervals it lasts: a fleet of 50 is
// evaluated once in 24. GATEWAY_OVERLAY is a file of configuration to lay over the shipped one.
func TestGatewayScale(t *testing.T) {
	text := os.Getenv("GATEWAY_ROUNDS")
	if text == "" {
		t.Skip("takes minutes, prints figures for docs/sizing.md: make sizing-gateway")
	}
	rounds, err := strconv.Atoi(text)
	require.NoError(t, err)
	require.Greater(t, rounds, settled, "GATEWAY_ROUNDS")
	scale(t, load{fleets: 200, each: 50, rounds: rounds, over: 10 * time.Second, overlay: os.Getenv("GATEWAY_OVERLAY")})
}

// load is what a gateway is sent.
type load struct {
	fleets, each int // fleets, and workers of each
	rounds       int
	over         time.Duration // how long a round should take; 0 for as fast as it goes
	overlay      string        // file of configuration over the shipped one, "" for none
}

// scale feeds the shipped gateway and prints what it took.
func scale(t *testing.T, l load) {
	backend := rig.NewTally(t)
	g := rig.NewCollector(t, "gateway", "gateway.yaml")
	listen := rig.Local(rig.FreePort(t))
	// GOMEMLIMIT is that of the packaged unit.
	g.Env = append(g.Env, "GATEWAY_LISTEN="+listen, "BACKEND="+backend.URL, "GOMAXPROCS=2", "GOMEMLIMIT=750MiB")
	g.Overlay = fmt.Sprintf("exporters: {inference_dashboard: {endpoint: %q}}\nprocessors: {disaggregation: {window: 10s, allowed_lateness: 10s}}\n",
		rig.Local(rig.FreePort(t)))
	if l.overlay != "" {
		g.Further = []string{l.overlay}
	}
	w := rig.NewWorkers(t, "pd-balanced", l.fleets, l.each, l.rounds, listen)
	g.Start(t)
	var before, after rig.Usage
	var longest time.Duration
	for round := range l.rounds {
		if round == settled {
			before = g.Usage(t)
		}
		began := time.Now()
		w.Send(t.Context(), round, l.over)
		took := time.Since(began)
		after = g.Usage(t)
		if round >= settled {
			longest = max(longest, took)
		}
		if l.over > 0 {
			t.Logf("round %d: %.1f s, %.1f s of CPU in all, %d MiB", round, took.Seconds(), after.CPU.Seconds(), after.Resident>>20)
		}
		require.True(t, g.Running(), "the gateway ended: %s", g.Output())
	}
	accepted, refused := w.Accepted()
	rig.Eventually(t, "the backend has every point", func() bool {
		in, _ := backend.Points(rig.WorkerScope)
		return in >= accepted
	})
	in, derived := backend.Points(rig.WorkerScope)
	t.Logf("%d workers in %d fleets, %d points a round: %.2f s of CPU a round, %d MiB at most, the longest round %.1f s, %d accepted, %d arrived, %d derived, %d scored, %d refused",
		l.fleets*l.each, l.fleets, accepted/l.rounds, (after.CPU-before.CPU).Seconds()/float64(l.rounds-settled), after.Peak>>20, longest.Seconds(),
		accepted, in, derived, backend.Fleets(signal.DisaggregationScore), len(refused))
	assert.Empty(t, refused)
	assert.Positive(t, accepted)
	assert.Equal(t, accepted, in, "what was accepted arrives, once")
	assert.Equal(t, l.fleets, backend.Fleets(signal.FleetObserved), "every fleet is seen")
	if l.rounds >= judged {
		// The score itself may be withheld as uncertain: this fleet misses its objectives, and how much an ideal one would serve is not sure.
		assert.Equal(t, l.fleets, backend.Fleets(signal.DisaggregationFactor), "and judged")
	}
}
