package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

const (
	window   = time.Second // of agents and gateways in these tests
	gateways = "gateways.test"
	// A fleet moves when its gateway is lost, when it is back, when a gateway leaves and when that one is back.
	handovers = 4
)

// house is two agents, three gateways and a backend, and the shipped way between them.
type house struct {
	sink     *rig.Sink
	agents   []*rig.Collector
	gateways []*rig.Collector
	feeders  []*rig.Feeder
	fleets   []string
	workers  [2][]string // by the agent that has them, in every fleet

	hosts string // file with the addresses of the gateways; "" on Kafka's road
	port  int    // of all gateways
	in    map[string]bool
}

// road is one of the two ways from agents to gateways.
type road struct {
	agent, gateway []string
	kafka          bool
	clashes        int // windows of a fleet that two gateways may write when fleets change hands
}

func balancing() road {
	// Agents hear of a change of the gateways one after the other, within an interval of the resolver. Till then a fleet is in two places.
	return road{agent: []string{"agent.yaml"}, gateway: []string{"gateway.yaml"}, clashes: handovers * (1 + 2)}
}

func kafka() road {
	// A gateway reads again what its predecessor had not committed, so the window at the border is derived twice, one after the other.
	return road{agent: []string{"agent.yaml", "agent-kafka.yaml"}, gateway: []string{"gateway.yaml", "gateway-kafka.yaml"}, kafka: true, clashes: handovers}
}

// build starts everything. Half of the workers of each fleet are at each agent.
func build(t *testing.T, r road) *house {
	t.Helper()
	h := &house{sink: rig.NewSink(t), fleets: []string{"chat", "code", "search", "voice"}, port: rig.FreePort(t), in: map[string]bool{}}
	var env []string
	if r.kafka {
		env = []string{"KAFKA=[" + rig.NewKafka(t).Address + "]"}
	} else {
		h.hosts = filepath.Join(t.TempDir(), "hosts")
		env = []string{"GATEWAYS=" + gateways, fmt.Sprintf("GATEWAYS_PORT=%d", h.port)}
	}
	for i := range 3 {
		g := rig.NewCollector(t, fmt.Sprintf("gateway-%d", i+1), r.gateway...)
		g.Env = append(g.Env, env...)
		g.Env = append(g.Env, "GATEWAY_LISTEN="+h.address(i), "BACKEND="+h.sink.URL(g.Name))
		g.Overlay = fmt.Sprintf("exporters: {inference_dashboard: {endpoint: \"%s\"}}\nprocessors: {disaggregation: {window: 1s, allowed_lateness: 1s}}\n",
			rig.Local(rig.FreePort(t)))
		h.gateways = append(h.gateways, g)
		g.Start(t)
		h.in[g.Name] = true
	}
	h.announce(t)
	simulated := rig.NewFleet(t, "pd-balanced")
	for i, worker := range simulated.Workers {
		h.workers[i%2] = append(h.workers[i%2], worker)
	}
	for i := range 2 {
		a := rig.NewCollector(t, fmt.Sprintf("agent-%d", i+1), r.agent...)
		a.Env, a.Hosts = append(a.Env, env...), h.hosts
		a.Overlay = h.agent(a, simulated, i, r.kafka)
		h.agents = append(h.agents, a)
		a.Start(t)
		for _, fleet := range h.fleets {
			h.feeders = append(h.feeders, rig.NewFeeder(fleet+"-"+a.Name, fleet, a.Feed, 20))
		}
	}
	return h
}

// address is where a gateway listens: all at one port, as behind one name.
func (h *house) address(i int) string { return fmt.Sprintf("127.0.0.%d:%d", i+2, h.port) }

// announce says which gateways there are, as DNS would.
func (h *house) announce(t *testing.T) {
	t.Helper()
	if h.hosts == "" {
		return
	}
	text := "127.0.0.1 localhost\n"
	for i, g := range h.gateways {
		if h.in[g.Name] {
			text += fmt.Sprintf("127.0.0.%d %s\n", i+2, gateways)
		}
	}
	require.NoError(t, os.WriteFile(h.hosts, []byte(text), 0o644))
}

// agent is the overlay of one agent: its half of the workers, as members of each fleet.
func (h *house) agent(a *rig.Collector, simulated *rig.Fleet, half int, onKafka bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "processors: {phase_attribution: {window: 1s, allowed_lateness: 1s}, kv_fragmentation: {window: 1s, allowed_lateness: 1s}}\n")
	if !onKafka {
		fmt.Fprintf(&b, "exporters: {load_balancing: {resolver: {dns: {interval: 1s}}}}\n")
	}
	fmt.Fprintf(&b, "receivers:\n  otlp: {protocols: {http: {endpoint: \"%s\"}}}\n", rig.Local(a.Feed))
	names := []string{"otlp"}
	for _, fleet := range h.fleets {
		names = append(names, "llm_engine/"+fleet)
		fmt.Fprintf(&b, "  llm_engine/%s:\n    collection_interval: 1s\n    fleet: %s\n    endpoints:\n", fleet, fleet)
		for i := half; i < len(simulated.Workers); i += 2 {
			fmt.Fprintf(&b, "      - {endpoint: \"http://%s\", role: %s}\n", simulated.Workers[i], simulated.Roles[i])
		}
	}
	fmt.Fprintf(&b, "service: {pipelines: {metrics: {receivers: [%s]}}}\n", strings.Join(names, ", "))
	return b.String()
}

// gateway is the one of a name.
func (h *house) gateway(name string) *rig.Collector {
	for _, g := range h.gateways {
		if g.Name == name {
			return g
		}
	}
	return nil
}

// owner is who derives a fleet now.
func (h *house) owner(fleet string) (name string) {
	h.sink.Look(func(w *rig.Written) { name = w.Owner(fleet) })
	return name
}

func TestFleetsMeetByLoadBalancing(t *testing.T) { meet(t, balancing()) }

func TestFleetsMeetByKafka(t *testing.T) { meet(t, kafka()) }

// A gateway is killed, its fleets go elsewhere; it comes back and has them again; an agent is killed and comes back. Every accepted point
// arrives, and no fleet is told of by two gateways.
func meet(t *testing.T, r road) {
	h := build(t, r)
	for _, f := range h.feeders {
		f.Start(t, 100*time.Millisecond)
	}
	began := time.Now()
	owners := map[string]string{}
	for _, fleet := range h.fleets {
		rig.Eventually(t, "a gateway derives "+fleet, func() bool { owners[fleet] = h.owner(fleet); return owners[fleet] != "" })
	}
	t.Logf("owners after %s: %v", time.Since(began).Round(time.Second), owners)

	lost := h.gateway(owners["chat"])
	killed := time.Now()
	lost.Kill()
	h.in[lost.Name] = false
	h.announce(t)
	var next string // what the gateway wrote last may arrive late, and name it once more
	rig.Eventually(t, "another gateway derives chat", func() bool { next = h.owner("chat"); return next != lost.Name })
	t.Logf("%s lost: %s derives chat after %s", lost.Name, next, time.Since(killed).Round(100*time.Millisecond))
	h.recovered(t, "chat", next, killed)

	lost.Start(t)
	h.in[lost.Name] = true
	h.announce(t)

	left := h.gateway(h.owner("chat"))
	leaving := time.Now()
	h.in[left.Name] = false
	h.announce(t)
	left.Stop(t)
	rig.Eventually(t, "another gateway derives chat", func() bool { next = h.owner("chat"); return next != left.Name })
	t.Logf("%s left: %s derives chat after %s", left.Name, next, time.Since(leaving).Round(100*time.Millisecond))
	h.recovered(t, "chat", next, leaving)
	left.Start(t)
	h.in[left.Name] = true
	h.announce(t)

	h.agents[1].Kill()
	dead := time.Now()
	h.agents[1].Start(t)
	h.resumed(t, h.workers[1], dead)
	rig.Arrived(t, h.sink, h.feeders...)
	h.report(t, began)
	h.sink.Look(func(w *rig.Written) {
		for _, fleet := range h.fleets {
			assert.LessOrEqual(t, w.Clashes(fleet).Windows, r.clashes, "%s: windows that two gateways wrote", fleet)
		}
	})
}

// recovered holds that a gateway told of a fleet by the end of the second whole window of data from when it heard of it after a loss. How long that
// takes by the clock is the machine's affair, and the resolver's.
func (h *house) recovered(t *testing.T, fleet, gateway string, since time.Time) {
	t.Helper()
	var heard, derived time.Time
	rig.Eventually(t, gateway+" tells of "+fleet+" and its workers", func() bool { // of Kafka it reads what was before the loss first
		h.sink.Look(func(w *rig.Written) { heard, derived = w.Recovery(fleet, gateway, since) })
		return !heard.IsZero() && !derived.IsZero()
	})
	windows := int(derived.Sub(heard.Truncate(window)) / window) // the one in which it was heard of is seen in part
	assert.LessOrEqual(t, windows, 1+2, "%s: windows until something was derived", fleet)
	t.Logf("%s: derived after %d windows of data", fleet, windows)
}

// resumed holds that an agent that is back told of each of its workers by the end of the second whole window of the worker's data, and that every
// fleet is derived with it.
func (h *house) resumed(t *testing.T, workers []string, since time.Time) {
	t.Helper()
	for _, worker := range workers {
		var windows int
		rig.Eventually(t, "the agent tells of "+worker, func() (is bool) {
			h.sink.Look(func(w *rig.Written) { windows, is = w.Resumed(worker, since, window) })
			return is
		})
		assert.LessOrEqual(t, windows, 2, "%s: windows until the agent told of it", worker)
		t.Logf("%s: told of after %d windows of data", worker, windows)
	}
	back := time.Now()
	for _, fleet := range h.fleets {
		rig.Eventually(t, "derived after the agent's restart: "+fleet, func() bool {
			var newest time.Time
			h.sink.Look(func(w *rig.Written) { newest = w.Newest(fleet, w.Owner(fleet)) })
			return newest.After(back)
		})
	}
}

// report says what was derived, and by whom at once.
func (h *house) report(t *testing.T, began time.Time) {
	t.Helper()
	h.sink.Look(func(w *rig.Written) {
		for _, fleet := range h.fleets {
			t.Logf("%s: %+v, longest gap %s, %v", fleet, w.Clashes(fleet), w.Gap(fleet, began.Add(5*window), time.Now()).Round(time.Millisecond), w.Counts(fleet))
		}
	})
}
