package grafana

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu/gputest"
	fleetrig "github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// rig is two simulated fleets, a collector with the shipped configuration, and a Prometheus for each road.
type rig struct {
	dir     string
	roads   []road
	control map[string]string // of fleetsim, by scenario
}

// road is how metrics come to a Prometheus.
type road struct {
	name, url string
}

// fleet is what fleetsim announces.
type fleet struct {
	Workers  []string `json:"workers"`
	Control  string   `json:"control"`
	KVEvents []string `json:"kv_events"`
	KVReplay []string `json:"kv_replay"`
	Passes   []string `json:"forward_passes"`
}

const ready = time.Minute

func startRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir(), control: map[string]string{}}
	rings, sysfs := filepath.Join(r.dir, "nixl"), filepath.Join(r.dir, "sys")
	require.NoError(t, os.Mkdir(rings, 0o755))
	network(t, sysfs)
	r.foreignFile(t, "first")

	aggregated, disaggregated := r.fleet(t, "aggregated"), r.fleet(t, "disaggregated")
	away, page, health, scraped, own, starved := freePort(t), freePort(t), freePort(t), freePort(t), freePort(t), freePort(t)
	byScrape, byWrite := freePort(t), freePort(t)
	addresses := strings.NewReplacer(
		"localhost:8899", "localhost:"+page, "localhost:13133", "localhost:"+health, "localhost:9464", "localhost:"+scraped,
		"[localhost:8888]", "[localhost:"+own+", localhost:"+starved+"]", "port: 8888", "port: "+own,
		"scrape_interval: 15s", "scrape_interval: 3s", "evaluation_interval: 15s", "evaluation_interval: 3s",
	)
	shipped := filepath.Join(fleetrig.Root(t), "distributions/otelcol-inference")
	r.copy(t, filepath.Join(shipped, "config.yaml"), addresses)
	r.copy(t, filepath.Join(shipped, "remote-write.yaml"), addresses)
	r.copy(t, filepath.Join(shipped, "prometheus/prometheus.yaml"), addresses)
	r.copy(t, filepath.Join(shipped, "prometheus/alerts.yaml"), addresses)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "receive.yaml"), []byte("rule_files: [alerts.yaml]\nglobal: {evaluation_interval: 3s}\n"), 0o600))

	prometheus := prometheusProgram(t, "prometheus")
	start(t, r.dir, nil, prometheus, "--config.file=prometheus.yaml", "--storage.tsdb.path=scraped", "--web.listen-address=127.0.0.1:"+byScrape)
	start(t, r.dir, nil, prometheus, "--config.file=receive.yaml", "--storage.tsdb.path=written", "--web.listen-address=127.0.0.1:"+byWrite, "--web.enable-remote-write-receiver")
	r.roads = []road{{"scrape", "http://127.0.0.1:" + byScrape}, {"remote write", "http://127.0.0.1:" + byWrite}}
	for _, each := range r.roads {
		require.Eventually(t, func() bool { return answers(each.url + "/-/ready") }, ready, 200*time.Millisecond, each.name)
	}

	env := []string{
		"AGGREGATED=" + endpoints(t, aggregated), "DISAGGREGATED=" + endpoints(t, disaggregated), "RINGS=" + rings, "SYSFS=" + sysfs,
		"NVML=" + gputest.BuildStub(t), "FLEETSIM_NVML_STATE=" + filepath.Join(r.dir, "nvml.state"),
		"GPUS=" + gpus(aggregated), "AWAY=http://localhost:" + away, "PROMETHEUS_REMOTE_WRITE=" + r.roads[1].url + "/api/v1/write",
		"STARVED_PORT=" + starved,
	}
	collector, testdata := filepath.Join(fleetrig.Root(t), "bin/otelcol-inference"), filepath.Join(fleetrig.Root(t), "tests/grafana/testdata")
	observing := start(t, r.dir, env, collector, "--config", "config.yaml", "--config", "remote-write.yaml", "--config", filepath.Join(testdata, "overlay.yaml"))
	start(t, r.dir, env, collector, "--config", filepath.Join(testdata, "starved.yaml"))
	require.Eventually(t, func() bool { return !observing.Running() || answers("http://localhost:"+health) }, ready, 200*time.Millisecond, "the collector's health")
	require.True(t, observing.Running(), "the collector ended")
	return r
}

// fleet starts a scenario on free ports.
func (r *rig) fleet(t *testing.T, name string) fleet {
	t.Helper()
	p := start(t, r.dir, nil, filepath.Join(fleetrig.Root(t), "bin/fleetsim"), "run", filepath.Join(fleetrig.Root(t), "tests/grafana/testdata", name+".yaml"),
		"--listen", "127.0.0.1:0", "--control", "127.0.0.1:0")
	var f fleet
	require.Eventually(t, func() bool {
		line, _, whole := strings.Cut(p.Output(), "\n")
		return whole && json.Unmarshal([]byte(line), &f) == nil
	}, ready, 50*time.Millisecond, p.Output())
	r.control[name] = "http://" + f.Control
	return f
}

func (r *rig) copy(t *testing.T, file string, changes *strings.Replacer) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, filepath.Base(file)), []byte(changes.Replace(string(text))), 0o600))
}

// endpoints are a fleet's workers with their streams, as an llm_engine receiver takes them.
func endpoints(t *testing.T, f fleet) string {
	t.Helper()
	var list []map[string]any
	for i, address := range f.Workers {
		one := map[string]any{"endpoint": "http://" + address + "/metrics"}
		if len(f.KVEvents) > 0 {
			one["kv_events"] = map[string]string{"endpoint": f.KVEvents[i], "replay_endpoint": f.KVReplay[i]}
			one["forward_passes"] = f.Passes[i]
		} else {
			one["role"] = map[bool]string{true: "decode", false: "prefill"}[i == len(f.Workers)-1]
		}
		list = append(list, one)
	}
	text, err := json.Marshal(list)
	require.NoError(t, err)
	return string(text)
}

// gpus joins each worker to its GPU: the simulated boards lie eight PCI buses apart, from 0x10 on.
func gpus(f fleet) string {
	var joins []string
	for i, address := range f.Workers {
		joins = append(joins, fmt.Sprintf(`{"match": {"instance": %q}, "ids": ["*:%02x:00.0"]}`, address, 0x10+8*i))
	}
	return "[" + strings.Join(joins, ", ") + "]"
}

// network makes a sysfs with one RDMA port and one interface: the machine of the test need not have either.
func network(t *testing.T, sysfs string) {
	t.Helper()
	for name, content := range map[string]string{
		"class/infiniband/mlx5_0/ports/1/state":                       "4: ACTIVE",
		"class/infiniband/mlx5_0/ports/1/rate":                        "400 Gb/sec (4X NDR)",
		"class/infiniband/mlx5_0/ports/1/link_layer":                  "InfiniBand",
		"class/infiniband/mlx5_0/ports/1/counters/port_xmit_data":     "1000",
		"class/infiniband/mlx5_0/ports/1/counters/port_rcv_data":      "1000",
		"class/infiniband/mlx5_0/ports/1/hw_counters/out_of_sequence": "3",
		"class/net/eth0/statistics/tx_bytes":                          "1000",
		"class/net/eth0/statistics/rx_bytes":                          "1000",
		"class/net/eth0/speed":                                        "25000",
		"class/net/eth0/operstate":                                    "up",
		"class/net/eth0/device/vendor":                                "0x15b3",
	} {
		path := filepath.Join(sysfs, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content+"\n"), 0o600))
	}
}
