package fleet

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
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
	// settled is after how many intervals CPU is measured.
	settled = 4
	// judged is after how many intervals of 10 s each of 200 fleets was evaluated.
	judged = 28
	// agentHosts is how many hosts a fleet of recorded agents has.
	agentHosts = 5
)

// TestGatewayScale is 10,000 workers in 200 fleets at 10 s without what agents derive, for docs/sizing.md. GATEWAY_ROUNDS is how many intervals it
// lasts: a fleet of 50 is evaluated once in 24.
func TestGatewayScale(t *testing.T) {
	rounds := roundsOf(t, "GATEWAY_ROUNDS")
	scale(t, load{fleets: 200, each: 50, rounds: rounds, over: 10 * time.Second})
}

// TestGatewayOfAgents is all that shipped agents send, for docs/sizing.md: one is recorded for so many intervals as AGENT_ROUNDS says, and then tells
// of as many workers as each of AGENT_WORKERS asks for, in fleets of five hosts.
func TestGatewayOfAgents(t *testing.T) {
	rounds := roundsOf(t, "AGENT_ROUNDS")
	recording := rig.RecordAgent(t, rounds)
	for _, text := range strings.Fields(os.Getenv("AGENT_WORKERS")) {
		workers, err := strconv.Atoi(text)
		require.NoError(t, err, "AGENT_WORKERS")
		t.Run(text, func(t *testing.T) {
			each := agentHosts * recording.Workers
			scale(t, load{fleets: (workers + each - 1) / each, each: each, rounds: rounds, over: rig.AgentInterval, agents: recording})
		})
	}
}

func roundsOf(t *testing.T, name string) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		t.Skip("takes minutes, prints figures for docs/sizing.md: make sizing-gateway, make sizing-scraped")
	}
	rounds, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	require.Greater(t, rounds, settled, name)
	return rounds
}

// load is what a gateway is sent.
type load struct {
	fleets, each int // fleets, and workers of each
	rounds       int
	over         time.Duration  // how long a round should take; 0 for as fast as it goes
	agents       *rig.Recording // what an agent sends; nil for pages of simulated workers
}

// feed sends a round and knows what became of what it sent.
type feed interface {
	Send(ctx context.Context, round int, over time.Duration)
	Accepted() (points int, refused []error)
}

// gateway is the shipped one and who sends to it. GATEWAY_OVERLAY is a file of configuration to lay over the shipped one, GATEWAY_GOMEMLIMIT another
// limit than the packaged unit's.
func (l load) gateway(t *testing.T, backend *rig.Tally) (*rig.Collector, feed) {
	t.Helper()
	g := rig.NewCollector(t, "gateway", "gateway.yaml")
	listen := rig.Local(rig.FreePort(t))
	g.Env = append(g.Env, "GATEWAY_LISTEN="+listen, "BACKEND="+backend.URL, "GOMAXPROCS=2", "GOMEMLIMIT="+cmp.Or(os.Getenv("GATEWAY_GOMEMLIMIT"), "750MiB"))
	g.Overlay = fmt.Sprintf("exporters: {inference_dashboard: {endpoint: %q}}\n", rig.Local(rig.FreePort(t)))
	if overlay := os.Getenv("GATEWAY_OVERLAY"); overlay != "" {
		g.Further = []string{overlay}
	}
	if l.agents != nil {
		return g, rig.NewHosts(t, l.agents, l.fleets, agentHosts, listen)
	}
	g.Overlay += "processors: {disaggregation: {window: 10s, allowed_lateness: 10s}}\n"
	return g, rig.NewWorkers(t, "pd-balanced", l.fleets, l.each, l.rounds, listen)
}

// scale feeds the shipped gateway and prints what it took.
func scale(t *testing.T, l load) {
	backend := rig.NewTally(t)
	g, feed := l.gateway(t, backend)
	g.Start(t)
	var before, after rig.Usage
	var longest time.Duration
	var anonymous int64
	for round := range l.rounds {
		if round == settled {
			before = g.Usage(t)
		}
		began := time.Now()
		feed.Send(t.Context(), round, l.over)
		took := time.Since(began)
		after = g.Usage(t)
		if round >= settled {
			longest = max(longest, took)
		}
		anonymous = max(anonymous, after.Anonymous)
		if l.over > 0 {
			t.Logf("round %d: %.1f s, %.1f s of CPU in all, %d MiB, %d without a file", round, took.Seconds(), after.CPU.Seconds(), after.Resident>>20, after.Anonymous>>20)
		}
		require.True(t, g.Running(), "the gateway ended: %s", g.Output())
	}
	accepted, refused := feed.Accepted()
	rig.Eventually(t, "the backend has every point", func() bool {
		in, _ := backend.Points()
		return in >= accepted
	})
	in, derived := backend.Points()
	t.Logf("%d workers in %d fleets, %d points a round: %.2f s of CPU a round, %d MiB at most, %d without a file after rounds, the longest round %.1f s, %d accepted, %d arrived, %d derived, %d scored, %d refused",
		l.fleets*l.each, l.fleets, accepted/l.rounds, (after.CPU-before.CPU).Seconds()/float64(l.rounds-settled), after.Peak>>20, anonymous>>20, longest.Seconds(),
		accepted, in, derived, backend.Fleets(signal.DisaggregationScore), len(refused))
	assert.Empty(t, refused)
	assert.Positive(t, accepted)
	assert.Equal(t, accepted, in, "what was accepted arrives, once")
	assert.Equal(t, l.fleets, backend.Fleets(signal.FleetObserved), "every fleet is seen")
	if l.rounds >= judged && l.agents == nil {
		// The score itself may be withheld as uncertain: this fleet misses its objectives, and how much an ideal one would serve is not sure.
		assert.Equal(t, l.fleets, backend.Fleets(signal.DisaggregationFactor), "and judged")
	}
}
