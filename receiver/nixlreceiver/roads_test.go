package nixlreceiver

import (
	"fmt"
	"os"
	"path/filepath"
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

func TestTheRoadIsInferredFromBytes(t *testing.T) {
	const m = 1 << 20
	out := func(n uint64) traffic { return traffic{transmit: n} }
	for name, c := range map[string]struct {
		flow            flow
		active, passive string
	}{
		"too little":            {flow{agents: out(m - 1), rdma: out(m)}, "", ""},
		"rdma":                  {flow{agents: out(100 * m), rdma: out(104 * m), network: out(m)}, "rdma", ""},
		"tcp":                   {flow{agents: out(100 * m), rdma: out(m), network: out(106 * m)}, "tcp", ""},
		"local":                 {flow{agents: out(100 * m), rdma: out(m), network: out(m)}, "local", ""},
		"either":                {flow{agents: out(100 * m), rdma: out(200 * m), network: out(200 * m)}, "unknown", ""},
		"half and half":         {flow{agents: out(100 * m), rdma: out(50 * m), network: out(50 * m)}, "unknown", ""},
		"the other direction":   {flow{agents: out(100 * m), rdma: traffic{receive: 100 * m}}, "local", ""},
		"served to a peer":      {flow{rdma: out(100 * m), served: 5}, "", "rdma"},
		"rdma of someone else?": {flow{rdma: out(100 * m)}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var r roads
			r.add(c.flow)
			active, passive := r.verdict()
			assert.Equal(t, []string{c.active, c.passive}, []string{active, passive})
			for range windows {
				r.add(flow{})
			}
			active, passive = r.verdict()
			assert.Empty(t, active+passive, "it does not last")
		})
	}
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
	r.now = r.now.Add(5 * time.Second)
	r.look()
	r.now = r.now.Add(5 * time.Second)
	r.look()
	for range 10 {
		w.transfer(true)
	}
	host(r.sys, 1000, 22<<20)
	r.now = r.now.Add(5 * time.Second)
	assert.Len(t, r.look().of(signal.NIXLTransport, append(at, "a", signal.AttrTransport, "tcp")...), 1, "it fell back")
}

func TestTheRoadIsReadInLogs(t *testing.T) {
	logs := t.TempDir()
	r := newRig(t, func(c *Config) { c.EngineLogs = []string{filepath.Join(logs, "*.log")} })
	r.tail = newTail(r.cfg)
	w := newWriter(t, r.dir, "a", 64)
	r.run(10, 1, w)
	require.NoError(t, os.WriteFile(filepath.Join(logs, "e.log"), []byte(`
[1.0] [h:10:0] | a inter-node cfg#1 |
[1.0] [h:10:0] | remote memory read by ucp_get* into cuda/GPU0 from cuda |
[1.0] [h:10:0] | 0..inf | software emulation | tcp/bond0 |
[1.0] [h:11:0] | nobody inter-node cfg#1 |
[1.0] [h:11:0] | remote memory write by ucp_put* from cuda/GPU0 to cuda |
[1.0] [h:11:0] | 0..inf | zero-copy | rc_mlx5/mlx5_0:1/path0 |
`), 0o600))
	got := r.look()
	mine := got.of(signal.NIXLTransport, signal.AttrEvidence, "log", signal.AttrNIXLAgentName, "a")
	require.Len(t, mine, 1)
	assert.Equal(t, map[string]any{"nixl.transport": "tcp", "nixl.transport.evidence": "log", "network.io.direction": "receive"}, mine[0].attributes)
	assert.Len(t, got.of(signal.NIXLTransport, signal.AttrEvidence, "log", signal.AttrTransport, "rdma", signal.AttrNetDirection, "transmit"), 1)
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
