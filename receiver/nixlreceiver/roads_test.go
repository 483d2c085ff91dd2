package nixlreceiver

import (
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// host is one RDMA port and one network interface, each of which has sent that many bytes.
func host(sys fstest.MapFS, rdma uint64, network ...uint64) {
	set := func(name string, content any) { sys[name] = &fstest.MapFile{Data: []byte(fmt.Sprint(content, "\n"))} }
	const port, eth = "class/infiniband/mlx5_0/ports/1/", "class/net/eth0/"
	set(port+"state", "4: ACTIVE")
	set(port+"rate", "400 Gb/sec (4X NDR)")
	set(port+"link_layer", "InfiniBand")
	set(port+"counters/port_xmit_data", rdma/4)
	set(port+"counters/port_rcv_data", 0)
	set(port+"hw_counters/rx_read_requests", rdma/4096)
	set(port+"hw_counters/out_of_sequence", rdma/(1<<20))
	set(eth+"statistics/tx_bytes", append(network, 0)[0])
	set(eth+"statistics/rx_bytes", 0)
	set(eth+"speed", 25000)
	set(eth+"operstate", "up")
	set(eth+"device/vendor", "0x15b3")
}

const mega = 1 << 20

func sent(megabytes uint64) traffic { return traffic{transmit: megabytes * mega} }

func over(megabytes uint64) carriage { return carriage{traffic: sent(megabytes)} }

// past is a road of flows, one every five seconds, of which all agents of the host are in one namespace.
func past(flows ...flow) *road {
	r, now := new(road), time.Unix(1_800_000_000, 0)
	for _, f := range flows {
		f.since, f.until = now, now.Add(5*time.Second)
		if f.all == (traffic{}) {
			f.all = f.agents
		}
		if f.widest == (carriage{}) {
			f.widest = f.every
		}
		now = f.until
		r.add(f)
	}
	return r
}

func TestTheRoadIsInferredFromBytes(t *testing.T) {
	looped := carriage{looped: 200 * mega}
	for name, c := range map[string]struct {
		flow flow
		want string
	}{
		"too little":          {flow{agents: traffic{transmit: mega - 1}, rdma: sent(1)}, ""},
		"rdma":                {flow{agents: sent(100), rdma: sent(104), every: over(1)}, "rdma"},
		"tcp":                 {flow{agents: sent(100), rdma: sent(1), every: over(106)}, "tcp"},
		"local":               {flow{agents: sent(100), rdma: sent(1), every: over(1)}, "local"},
		"either":              {flow{agents: sent(100), rdma: sent(101), every: over(101)}, "unknown"},
		"half and half":       {flow{agents: sent(100), rdma: sent(50), every: over(50)}, "unknown"},
		"the other direction": {flow{agents: sent(100), rdma: traffic{receive: 100 * mega}}, "unknown"},
		"loopback, both ways": {flow{agents: traffic{100 * mega, 100 * mega}, every: looped}, "tcp"},
		"below a bond":        {flow{agents: sent(100), every: over(206), widest: over(103)}, "tcp"},
		"a backup over tcp":   {flow{agents: sent(100), every: over(10 * 1024)}, "unknown"},
		"collectives on rdma": {flow{agents: sent(100), rdma: sent(10 * 1024)}, "unknown"},
		"two namespaces":      {flow{agents: sent(100), all: sent(200), rdma: sent(208)}, "rdma"},
		"the other namespace": {flow{agents: sent(10), all: sent(210), rdma: sent(200)}, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			idle := flow{}
			assert.Equal(t, c.want, past(idle, idle, c.flow, idle).verdict())
			assert.Empty(t, past(idle, idle, c.flow, idle, idle, idle).verdict(), "it does not last")
		})
	}
}

// TestSlowTransfersAreComparedWithAllOfTheirTime: transfers of 98 s over TCP at 250 MB/s, told when they end.
func TestSlowTransfersAreComparedWithAllOfTheirTime(t *testing.T) {
	const collections = 20
	wire := flow{every: over(1250)}
	told := wire
	told.agents, told.longest = sent(collections*1250), 98*time.Second
	var flows []flow
	for n := range 10 * collections {
		f := wire
		if n%collections == collections-1 {
			f = told
		}
		flows = append(flows, f)
		if verdict := past(flows...).verdict(); n%collections == collections-1 {
			assert.Equal(t, "tcp", verdict, n)
		} else {
			assert.Contains(t, []string{"", "tcp", "unknown"}, verdict, n)
		}
	}
	assert.Equal(t, "unknown", past(flow{}, told, flow{}).verdict(), "it began before anybody looked")
	late := flow{agents: sent(10000), longest: 98 * time.Second}
	assert.Equal(t, "unknown", past(flow{}, flow{}, late, flow{}).verdict(), "nor is that local")
}

func TestWhatIsLongerThanMemoryIsNeverLocal(t *testing.T) {
	var flows []flow
	for range 2 * maxFlows {
		flows = append(flows, flow{})
	}
	late := flow{agents: sent(10000), longest: maxFlows * 5 * time.Second}
	r := past(append(flows, late, flow{})...)
	assert.Equal(t, "unknown", r.verdict())
	assert.Len(t, r.recent, maxFlows)
	late.longest = time.Minute
	assert.Equal(t, "local", past(append(flows, late, flow{})...).verdict())
}

// TestTheNamespaceOfTheEngineIsRead: the engine's interfaces are not those in /sys.
func TestTheNamespaceOfTheEngineIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		wire func(r *rig, megabytes uint64)
		want string
		hint bool
	}{
		"tcp in a namespace of its own": {func(r *rig, n uint64) { r.wire(10, "net:[7]", 0, n*mega) }, "tcp", false},
		"loopback of its own":           {func(r *rig, n uint64) { r.wire(10, "net:[7]", n*mega) }, "tcp", false},
		"over a bridge":                 {func(r *rig, n uint64) { r.wire(10, "net:[1]", 0, 0, n*mega, n*mega) }, "tcp", false},
		"local":                         {func(r *rig, _ uint64) { r.wire(10, "net:[7]", 0, 5) }, "local", false},
		"not readable":                  {func(r *rig, _ uint64) { r.proc["10/ns/net"] = &fstest.MapFile{} }, "unknown", true},
		"ended":                         {func(r *rig, _ uint64) { delete(r.proc, "10/ns/net") }, "unknown", false},
		"no interfaces":                 {func(r *rig, _ uint64) { delete(r.proc, "10/net/dev") }, "unknown", true},
		"no owner":                      {func(r *rig, _ uint64) { delete(r.proc, "10/maps"); delete(r.proc, "2/stat") }, "unknown", true},
		"no rdma ports in sight":        {func(r *rig, _ uint64) { r.verbs(10) }, "unknown", false},
		"rdma ports of another namespace": {func(r *rig, _ uint64) {
			r.verbs(10)
			host(r.sys, 0)
		}, "unknown", false},
		"idle rdma ports": {func(r *rig, _ uint64) {
			r.verbs(10)
			host(r.sys, 0)
			r.proc["self/ns/net"] = r.proc["10/ns/net"]
		}, "local", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = ModeConsume })
			w := newWriter(t, r.dir, "a", 64)
			r.run(10, 1, w)
			c.wire(r, 0)
			seen := make(map[any]int)
			var last points
			for n := range 8 {
				for range 10 {
					w.transfer(true)
				}
				c.wire(r, uint64(n+1)*10)
				r.now = r.now.Add(5 * time.Second)
				last = r.look()
				for _, p := range last.of(signal.NIXLTransport, signal.AttrEvidence, "counters") {
					seen[p.attributes[signal.AttrTransport]]++
				}
			}
			assert.Len(t, last.of(signal.NIXLTransport, signal.AttrEvidence, "counters", signal.AttrTransport, c.want), 1)
			if c.want != "local" {
				assert.NotContains(t, seen, "local")
			}
			assert.Equal(t, c.hint, len(last.of(signal.SourceMissing, signal.AttrSource, "nixl.network")) == 1)
		})
	}
}

func TestAnOpenDeviceIsNoProof(t *testing.T) {
	r := newRig(t, nil)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	r.verbs(10)
	got := r.look().of(signal.NIXLTransport, signal.AttrEvidence, "fd")
	require.Len(t, got, 1)
	assert.Equal(t, "unknown", got[0].attributes[signal.AttrTransport])
}

func TestTheRoadOfAnAgentIsTold(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = ModeConsume })
	w, idle := newWriter(t, r.dir, "a", 64), newWriter(t, r.dir, "b", 64)
	r.run(10, 1, w, idle)
	host(r.sys, 1<<40)
	r.look()
	for range 10 {
		w.transfer(true)
	}
	host(r.sys, 1<<40+10<<20)
	r.now = r.now.Add(5 * time.Second)
	got := r.look()
	at := []any{signal.AttrEvidence, "counters", signal.AttrNIXLAgentName}
	assert.Len(t, got.of(signal.NIXLTransport, append(at, "a", signal.AttrTransport, "rdma")...), 1)
	assert.Len(t, got.of(signal.NIXLTransport, append(at, "b", signal.AttrTransport, "rdma")...), 1, "as the port served remote reads")
	assert.Len(t, got.of(signal.NIXLTransport, signal.AttrEvidence, "fd", signal.AttrTransport, "unknown"), 2, "no device is open")

	link := []any{"hw.id", "mlx5_0:1", signal.AttrLinkTransport, "infiniband"}
	out := append(link, signal.AttrNetDirection, "transmit")
	assert.Equal(t, 10.0*(1<<20), got.value(t, signal.NIXLLinkIO, out...), "since we began")
	assert.Equal(t, 50e9, got.value(t, signal.NIXLLinkLimit, link...))
	assert.Equal(t, 1.0, got.value(t, signal.NIXLLinkUp, link...))
	assert.InDelta(t, 10.0*(1<<20)/5/50e9, got.value(t, signal.NIXLLinkUse, out...), 1e-12)
	assert.Equal(t, 10.0, got.value(t, signal.NIXLRDMAErrors, signal.AttrRDMACounter, "out_of_sequence"))
	assert.Equal(t, 3.125e9, got.value(t, signal.NIXLLinkLimit, signal.AttrInterface, "eth0"))

	host(r.sys, 1000) // the driver began anew
	r.now = r.now.Add(5 * time.Second)
	got = r.look()
	assert.Equal(t, 10.0*(1<<20)+1000, got.value(t, signal.NIXLLinkIO, out...), "it never falls")

	for range 10 {
		w.transfer(true)
	}
	host(r.sys, 1000, 11<<20)
	r.wire(10, "net:[1]", 0, 11<<20)
	r.now = r.now.Add(5 * time.Second)
	r.look()
	r.now = r.now.Add(5 * time.Second)
	r.look()
	for range 10 {
		w.transfer(true)
	}
	host(r.sys, 1000, 22<<20)
	r.wire(10, "net:[1]", 0, 22<<20)
	r.now = r.now.Add(5 * time.Second)
	assert.Len(t, r.look().of(signal.NIXLTransport, append(at, "a", signal.AttrTransport, "tcp")...), 1, "it fell back")
}

func TestHintsSayWhatTurnsTelemetryOn(t *testing.T) {
	for name, c := range map[string]struct{ environ, cmdline, want string }{
		"off, with vLLM": {"NIXL_TELEMETRY_ENABLE=n", "VLLM::EngineCore", "counts transfers that succeeded as failed"},
		"off":            {"NIXL_TELEMETRY_ENABLE=Off", "sglang", "set it to y"},
		"no directory":   {"NIXL_TELEMETRY_ENABLE=y", "sglang", "NIXL_TELEMETRY_DIR=/rings"},
		"elsewhere":      {"NIXL_TELEMETRY_DIR=/elsewhere", "vllm", "sources::buffer::directories"},
		"prometheus":     {"NIXL_TELEMETRY_EXPORTER=prometheus", "dynamo", "scrape it"},
		"prometheus_mp":  {"NIXL_TELEMETRY_EXPORTER=prometheus_mp", "vllm", "sources::multiproc::directories"},
		"as it should":   {"NIXL_TELEMETRY_DIR=/rings", "vllm", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Sources.Buffer.Directories = []string{"/rings"} })
			r.run(10, 1)
			r.proc["10/environ"] = &fstest.MapFile{Data: []byte(c.environ + "\x00")}
			r.proc["10/cmdline"] = &fstest.MapFile{Data: []byte(c.cmdline)}
			r.after(2 * time.Minute)
			found := r.told().of(signal.SourceMissing, signal.AttrSource, "nixl.telemetry")
			if c.want == "" {
				assert.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			assert.Contains(t, found[0].attributes[signal.AttrSourceHint], c.want)
		})
	}
}

func TestAFullRingIsAnsweredWithASize(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = ModeConsume })
	w := newWriter(t, r.dir, "a", 8)
	r.run(10, 1, w)
	r.look()
	for range 3 {
		w.transfer(true)
		w.transfer(true)
		r.poll()
	}
	got := r.told()
	assert.Equal(t, 3.0, got.value(t, signal.NIXLEventsDropped, signal.AttrReason, "ring_full"))
	assert.Contains(t, got.of(signal.SourceMissing, signal.AttrSource, "nixl.ring.size")[0].attributes[signal.AttrSourceHint],
		"NIXL_TELEMETRY_BUFFER_SIZE=16")
}

// TestADeviceThatIsOpenedLate: NIXL makes the file before UCX opens its devices.
func TestADeviceThatIsOpenedLate(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Sources.Buffer.Mode = ModeConsume })
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	r.wire(10, "net:[7]", 0, 5)
	r.look()
	r.verbs(10)
	for range 11 { // before the next look at all processes
		for range 10 {
			w.transfer(true)
		}
		r.now = r.now.Add(5 * time.Second)
		r.poll()
		assert.Empty(t, r.told().of(signal.NIXLTransport, signal.AttrEvidence, "counters", signal.AttrTransport, "local"))
	}
}
