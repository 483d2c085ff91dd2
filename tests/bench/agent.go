package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Bars of a whole agent on a busy host, shares of one core by KV blocks a second and bytes resident (200 MiB).
const (
	agentBar     = 0.10
	agentBusyBar = 0.15
	agentBusy    = 50_000 // blocks/s from which agentBusyBar holds
	agentMemory  = 200 << 20
)

// agentInputs is where everything is that an agent of one host observes: the targets of a busyHost, in their order.
type agentInputs struct{ pages, kv, replay, passes, ring, gpus, stub, gateway []string }

func inputsOf(targets []string) (in agentInputs) {
	for _, part := range []struct {
		to *[]string
		n  int
	}{{&in.pages, hostWorkers}, {&in.kv, hostWorkers}, {&in.replay, hostWorkers}, {&in.passes, hostWorkers}, {&in.ring, 1}, {&in.gpus, 1}, {&in.stub, 1}, {&in.gateway, 1}} {
		*part.to, targets = targets[:part.n], targets[part.n:]
	}
	return in
}

// overlay is what differs from agent.yaml: where everything is. Discovery and what it says go on beside it, as on a real host.
func (in agentInputs) overlay(at site) string {
	host, port, _ := net.SplitHostPort(at.own)
	var endpoints []string
	for i, page := range in.pages {
		endpoints = append(endpoints, fmt.Sprintf("{endpoint: %q, kv_events: {endpoint: %q, replay_endpoint: %q}, forward_passes: %q}",
			"http://"+page, in.kv[i], in.replay[i], in.passes[i]))
	}
	return fmt.Sprintf(`extensions:
  health_check: {endpoint: "127.0.0.1:0"}
  file_storage: {directory: %q, compaction: {directory: %[1]q}}
  pprof: {endpoint: %q}
receivers:
  llm_engine: {collection_interval: 1s, endpoints: [%s]}
  nvml: {collection_interval: 1s, library: %q}
  nixl: {collection_interval: 1s, sources: {buffer: {directories: [%q], mode: consume}}}
service:
  extensions: [health_check, process_memory, host_observer, file_storage, pprof]
  pipelines: {metrics: {receivers: [receiver_creator/host, llm_engine/unseen, llm_engine, nvml, nixl]}}
  telemetry: {metrics: {level: basic, readers: [{pull: {exporter: {prometheus: {host: %q, port: %s}}}}]}}
`, filepath.Join(at.dir, "state"), at.pprof, strings.Join(endpoints, ", "), in.stub[0], filepath.Dir(in.ring[0]), host, port)
}

// shippedConfig is a configuration of the repository that the binary was built in.
func shippedConfig(binary, name string) string {
	return filepath.Join(filepath.Dir(binary), "..", "distributions", "otelcol-inference", name)
}

// agent is the collector with the shipped configuration of an agent.
func agent(binary string) subject {
	shipped := shippedConfig(binary, "agent.yaml")
	with := func(arguments ...string) func(site) (*exec.Cmd, error) {
		return func(at site) (*exec.Cmd, error) {
			in := inputsOf(at.targets)
			file := filepath.Join(at.dir, "overlay.yaml")
			if err := os.WriteFile(file, []byte(in.overlay(at)), 0o600); err != nil {
				return nil, err
			}
			_, port, err := net.SplitHostPort(in.gateway[0])
			if err != nil {
				return nil, err
			}
			cmd := exec.Command(binary, append(arguments, "--config", shipped, "--config", file)...)
			cmd.Env = append(os.Environ(), "FLEET=bench", "GATEWAYS_PORT="+port, "FLEETSIM_NVML_STATE="+in.gpus[0], "LD_LIBRARY_PATH="+filepath.Dir(in.stub[0]))
			return cmd, nil
		}
	}
	// The packaged unit's limit, and no GOGC, which would go before that of agent.yaml.
	return subject{name: "agent.yaml", points: accepted, limits: []string{"GOMEMLIMIT=750MiB", "GOMAXPROCS=2"}, command: with(), check: with("validate")}
}

// runAgent measures an agent at both loads and says whether the bars are met.
func runAgent(o options, binary string) (met bool, err error) {
	p, err := readPage(o.page)
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "bench-stub")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	stub, err := buildStub(dir)
	if err != nil {
		return false, err
	}
	met = true
	fmt.Println("| KV blocks/s | CPU, % of a core | at most | RSS, MiB | at most | memory without a file, MiB | blocks published/s | messages lost | points/s |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	for _, blocks := range o.blocks {
		results, err := rounds(o, []subject{agent(binary)}, func() (work, error) { return busyHost(stub, p, blocks, o.rate) })
		if err != nil {
			return false, err
		}
		met = reportAgent(os.Stdout, blocks, results["agent.yaml"]) && met
	}
	return met, nil
}

func reportAgent(out io.Writer, blocks int, all []measured) (met bool) {
	bar := agentBar
	if blocks >= agentBusy {
		bar = agentBusyBar
	}
	each := func(of func(measured) float64) func(measured) float64 {
		return func(m measured) float64 { return of(m) / m.took.Seconds() }
	}
	cpu := spreadOf(all, each(func(m measured) float64 { return m.cpu.Seconds() }))
	rss := spreadOf(all, func(m measured) float64 { return float64(m.rss) })
	percent := spread{100 * cpu.least, 100 * cpu.median, 100 * cpu.most}
	mib := func(s spread) spread { return spread{s.least / (1 << 20), s.median / (1 << 20), s.most / (1 << 20)} }
	fmt.Fprintf(out, "| %d | %v | %.0f | %v | %d | %v | %.0f | %.0f | %.0f |\n", blocks, percent, 100*bar, mib(rss), agentMemory>>20,
		mib(spreadOf(all, func(m measured) float64 { return float64(m.own) })), spreadOf(all, each(func(m measured) float64 { return float64(m.done) })).median,
		spreadOf(all, func(m measured) float64 { return float64(m.lost) }).most, spreadOf(all, each(func(m measured) float64 { return m.points })).median)
	return cpu.median <= bar && rss.median <= agentMemory
}
