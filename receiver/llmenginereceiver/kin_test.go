package llmenginereceiver

import (
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// proc is a /proc of processes written as "pid parent command", of which some hold the socket that listens on 127.0.0.1:8000.
func proc(holders []int, processes ...string) fstest.MapFS {
	sys := fstest.MapFS{
		"1/stat":       {Data: []byte("1 (init) S 0 " + strings.Repeat("0 ", 17) + "1")},
		"self/net/tcp": {Data: []byte("   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77 1\n")},
	}
	for _, text := range processes {
		var pid, parent int
		var command string
		_, _ = fmt.Sscanf(text, "%d %d", &pid, &parent)
		command = strings.SplitN(text, " ", 3)[2]
		sys[fmt.Sprint(pid)+"/stat"] = &fstest.MapFile{Data: []byte(fmt.Sprintf("%d (x) S %d %s1", pid, parent, strings.Repeat("0 ", 17)))}
		words := []string{command}
		if !strings.Contains(command, "::") { // a title is one argument, blanks and all
			words = strings.Split(command, " ")
		}
		sys[fmt.Sprint(pid)+"/cmdline"] = &fstest.MapFile{Data: []byte(strings.Join(words, "\x00") + "\x00")}
	}
	for _, pid := range holders {
		sys[fmt.Sprint(pid)+"/fd/5"] = &fstest.MapFile{Data: []byte("socket:[77]"), Mode: fs.ModeSymlink}
	}
	return sys
}

func kinOf(t *testing.T, sys fstest.MapFS) *kin {
	t.Helper()
	r := hostproc.New(sys)
	table, err := r.Table()
	require.NoError(t, err)
	k := findKin(table, r, netip.MustParseAddr("127.0.0.1"), 8000)
	return &k
}

func numbers(processes []hostproc.Process) (all []int) {
	for _, p := range processes {
		all = append(all, p.PID)
	}
	return all
}

func TestTheProcessesBehindAnEndpoint(t *testing.T) {
	for name, c := range map[string]struct {
		holders   []int
		processes []string
		whole     []int
		ranks     map[int][]int
	}{
		"vLLM on one GPU": {[]int{20}, []string{"20 1 python3 /usr/bin/vllm serve m", "21 20 VLLM::EngineCore", "22 20 python3 -c resource_tracker", "30 1 VLLM::EngineCore"},
			[]int{21}, nil},
		"vLLM, tensor parallel": {[]int{20}, []string{"20 1 vllm serve m -tp 2", "21 20 VLLM::EngineCore", "23 21 VLLM::Worker_TP0", "24 21 VLLM::Worker_TP1"},
			[]int{21, 23, 24}, nil},
		"vLLM, two ranks of two GPUs behind two API servers that share the socket": {[]int{26, 20, 25}, []string{
			"20 1 vllm serve m -dp 2 -tp 2", "21 20 VLLM::EngineCore_DP0", "22 20 VLLM::EngineCore_DP1", "23 21 VLLM::Worker_DP0_TP0",
			"24 21 VLLM::Worker_TP1", "27 22 VLLM::Worker_TP0", "28 22 VLLM::Worker_TP1", "25 20 VLLM::ApiServer_0", "26 20 VLLM::ApiServer_1", "29 20 VLLM::DP Coordinator"},
			[]int{21, 22, 23, 24, 27, 28}, map[int][]int{0: {21, 23, 24}, 1: {22, 27, 28}}},
		"SGLang": {[]int{20}, []string{"20 1 python -m sglang.launch_server", "21 20 sglang::data_parallel_controller", "22 21 sglang::scheduler_DP0_TP0",
			"23 21 sglang::scheduler_DP1_TP0", "24 20 sglang::detokenizer"},
			[]int{22, 23}, map[int][]int{0: {22}, 1: {23}}},
		"TensorRT-LLM by MPI":           {[]int{21}, []string{"20 1 /usr/bin/mpirun -n 2 trtllm-serve m", "21 20 trtllm-serve m", "22 20 trtllm-serve m", "30 1 trtllm-serve other"}, []int{20, 21, 22}, nil},
		"Triton under orted":            {[]int{22}, []string{"20 1 mpirun -n 2", "21 20 orted", "22 21 tritonserver", "23 21 tritonserver"}, []int{20, 21, 22, 23}, nil},
		"Text Generation Inference":     {[]int{22}, []string{"20 1 text-generation-launcher --num-shard 2", "21 20 python server.py", "22 20 text-generation-router"}, []int{20, 21, 22}, nil},
		"llama.cpp":                     {[]int{20}, []string{"20 1 llama-server --metrics"}, []int{20}, nil},
		"without titles there is one":   {[]int{20}, []string{"20 1 vllm serve m", "21 20 python3 -c spawn_main"}, []int{20, 21}, nil},
		"a shell is no launcher":        {[]int{20}, []string{"19 1 bash start.sh", "20 19 llama-server", "21 19 nginx"}, []int{20}, nil},
		"a rank out of all proportions": {[]int{20}, []string{"20 1 VLLM::EngineCore_DP99999999999"}, []int{20}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			k := kinOf(t, proc(c.holders, c.processes...))
			assert.Empty(t, k.hint)
			assert.ElementsMatch(t, c.whole, numbers(k.whole))
			assert.Len(t, k.ranks, len(c.ranks))
			for rank, want := range c.ranks {
				got, hint := k.of(rank, true)
				assert.ElementsMatch(t, want, numbers(got), "rank %d", rank)
				assert.Empty(t, hint)
			}
		})
	}
}

func TestProcessesThatCannotBeToldSayWhatHelps(t *testing.T) {
	assert.Equal(t, hintPrivileges, kinOf(t, proc(nil, "20 1 vllm serve m")).hint, "the socket's holder belongs to another user")
	sys := proc([]int{20}, "20 1 vllm serve m")
	delete(sys, "self/net/tcp")
	assert.Equal(t, hintElsewhere, kinOf(t, sys).hint)
	assert.Equal(t, hintElsewhere, kinOf(t, proc([]int{20}, "20 1 /usr/bin/docker-proxy -host-port 8000")).hint)
	k := kinOf(t, proc([]int{20}, "20 1 vllm serve m -dp 2", "21 20 python3 -c spawn_main"))
	_, hint := k.of(1, true)
	assert.Equal(t, hintRanks, hint)
	many := []string{"100 1 VLLM::EngineCore"}
	for i := range 2 * maxKin {
		many = append(many, fmt.Sprintf("%d 100 VLLM::Worker_TP%d", 101+i, i))
	}
	all, _ := kinOf(t, proc([]int{100}, many...)).of(0, false)
	assert.Len(t, all, maxKin)
}

// processIDs are the numbers of the processes of the newest points of a worker.
func processIDs(r *rig) (pids []int64, executables []string) {
	m, ok := r.find(signal.EngineProcessInfo)
	if !ok {
		return nil, nil
	}
	for _, p := range m.Gauge().DataPoints().All() {
		pid, _ := p.Attributes().Get(signal.AttrProcessPID)
		name, _ := p.Attributes().Get(signal.AttrProcessExecutable)
		pids, executables = append(pids, pid.Int()), append(executables, name.Str())
	}
	return pids, executables
}

func TestARealEngineHasItsProcess(t *testing.T) {
	e := newEngine(t)
	r := startRig(t, nil, func(c *Config) { c.Scrape.ProcPath = "/proc" }, e.URL)
	r.until(func() bool { pids, _ := processIDs(r); return len(pids) > 0 }, "the process that listens")
	pids, names := processIDs(r)
	assert.Contains(t, pids, int64(os.Getpid()))
	assert.Len(t, names, len(pids))
	assert.Empty(t, processHints(r))
}

// processHints are what the newest points say of missing processes.
func processHints(r *rig) (all []string) {
	m, ok := r.find(signal.SourceMissing)
	if !ok {
		return nil
	}
	for _, p := range m.Gauge().DataPoints().All() {
		if source, _ := p.Attributes().Get(signal.AttrSource); source.Str() == signal.SourceProcesses {
			hint, _ := p.Attributes().Get(signal.AttrSourceHint)
			all = append(all, hint.Str())
		}
	}
	return all
}

func TestAProcessOutOfSightIsMissing(t *testing.T) {
	e := newEngine(t)
	r := startRig(t, nil, func(c *Config) { c.Scrape.ProcPath = t.TempDir() }, e.URL)
	r.until(func() bool { return len(processHints(r)) > 0 }, "a hint")
	assert.Equal(t, []string{hintElsewhere}, processHints(r), "once a worker")
	quiet := startRig(t, nil, func(c *Config) {
		c.Scrape.ProcPath, c.Scrape.Connected = t.TempDir(), []string{signal.SourceProcesses}
	}, e.URL)
	quiet.until(func() bool { _, n := quiet.last(instance(e)); return n > 3 }, "scrapes")
	assert.Empty(t, processHints(quiet))
}

// TestAnEngineThatCameBackHasNewProcesses, whoever looked just before it did.
func TestAnEngineThatCameBackHasNewProcesses(t *testing.T) {
	sys := proc([]int{20}, "20 1 llama-server --metrics")
	c := newHandClock()
	h := &host{reader: hostproc.New(sys)}
	found := func(k *kinReader) []int {
		k.want()
		k.ask()
		k.known = <-k.answers
		k.asking = false
		processes, hint := k.known.of(0, false)
		assert.Empty(t, hint)
		return numbers(processes)
	}
	at := &url.URL{Host: "127.0.0.1:8000"}
	first := newKinReader(h, c, at, nil, func(f func()) { f() })
	assert.Equal(t, []int{20}, found(first))
	clear(sys)
	maps.Copy(sys, proc([]int{40}, "40 1 llama-server --metrics"))
	c.tick(time.Second)
	assert.Equal(t, []int{40}, found(first))

	looked := h.at
	c.tick(time.Second)
	first.ask()
	assert.Empty(t, first.answers, "what is known is looked at again after a while only")
	assert.Equal(t, looked, h.at)
}
