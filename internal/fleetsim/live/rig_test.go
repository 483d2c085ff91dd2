package live

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

// handClock is moved by hand.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) Ticks(time.Duration) (<-chan time.Time, func()) { return nil, func() {} }
func (c *handClock) After(time.Duration) (<-chan time.Time, func()) { return nil, func() {} }

func (c *handClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// load reads a scenario from YAML text.
func load(t *testing.T, text string) scenario.Scenario {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	s, err := scenario.Load(path, scenario.Options{})
	require.NoError(t, err)
	return s
}

// startRig runs a scenario on free ports under a clock moved by hand.
func startRig(t *testing.T, text string, change ...func(*Options)) (*Rig, *handClock) {
	t.Helper()
	clock := &handClock{now: time.Unix(1_800_000_000, 0)}
	o := DefaultOptions(load(t, text))
	o.Clock, o.Listen, o.Control = clock, "127.0.0.1:0", "127.0.0.1:0"
	for _, c := range change {
		c(&o)
	}
	r, err := Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return r, clock
}

func body(t *testing.T, url string) string {
	t.Helper()
	status, text, err := get(t.Context(), "http://"+url)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, text)
	return text
}

func post(t *testing.T, address, text string) (int, string) {
	t.Helper()
	resp, err := http.Post("http://"+address+"/faults", "application/json", strings.NewReader(text))
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

func TestEveryEngineAnswersItsPages(t *testing.T) {
	for engine, want := range map[string]map[string]string{
		"vllm":         {"/metrics": "vllm:num_requests_running", "/version": "0.32.0", "/v1/models": "meta-llama/Llama-3.1-70B-Instruct"},
		"sglang":       {"/metrics": "sglang:num_running_reqs", "/v1/models": "meta-llama", "/get_model_info": "model_path"},
		"tensorrt_llm": {"/prometheus/metrics": "trtllm_", "/metrics": "numActiveRequests", "/version": "version"},
	} {
		r, clock := startRig(t, "pools: [{engine: "+engine+"}]")
		clock.move(20 * time.Second)
		for path, text := range want {
			assert.Contains(t, body(t, r.Addresses().Workers[0]+path), text, engine+path)
		}
		assert.Contains(t, body(t, r.Addresses().Control+"/scenario"), r.Addresses().Workers[0])
	}
}

func TestADynamoFrontEndAnswers(t *testing.T) {
	r, clock := startRig(t, "pools: [{role: prefill}, {role: decode}]\nprotocols: {frontend: {listen: '127.0.0.1:0'}}")
	clock.move(20 * time.Second)
	assert.Contains(t, body(t, r.Addresses().Frontend+"/metrics"), "dynamo_frontend_requests_total")
	page := body(t, r.Addresses().Workers[0]+"/metrics")
	assert.Contains(t, page, "dynamo_component_")
	assert.Contains(t, page, "vllm:num_requests_running")
}

func TestTruthIsToldWhileRunningAndAsLines(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	var files = []string{"requests", "steps", "transfers", "truth"}
	r, clock := startRig(t, "pools: [{role: prefill}, {role: decode}]", func(o *Options) {
		o.Ledger = file("ledger")
		o.Requests, o.Steps, o.Transfers, o.Truth = file("requests"), file("steps"), file("transfers"), file("truth")
	})
	clock.move(60 * time.Second)
	var one struct {
		Truth fleetsim.Truth
		GPU   fleetsim.GPUTruth
	}
	require.NoError(t, json.Unmarshal([]byte(body(t, r.Addresses().Control+"/truth?worker=1")), &one))
	assert.Equal(t, 60.0, one.Truth.SimulatedSeconds)
	assert.Positive(t, one.Truth.DecodeSeconds)
	assert.Positive(t, one.GPU.EnergyJoules)
	status, text, err := get(t.Context(), "http://"+r.Addresses().Control+"/truth?worker=2")
	require.NoError(t, err)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "worker: must be from 0 to 1, is \"2\"\n", text)

	require.NoError(t, r.Close())
	lines := map[string]int{}
	for _, name := range files {
		b, err := os.ReadFile(file(name))
		require.NoError(t, err)
		lines[name] = strings.Count(string(b), "\n")
		assert.True(t, json.Valid([]byte(strings.SplitN(string(b), "\n", 2)[0])), name)
	}
	truth := r.driver.fleet.Truth()
	assert.Equal(t, map[string]int{
		"requests": int(truth.FinishedRequests), "steps": int(truth.Steps), "transfers": int(truth.Transfers.Fetched), "truth": 6,
	}, lines)
}

func TestFaultsHappenOnTimeAndEnd(t *testing.T) {
	r, clock := startRig(t, `
pools: [{workers: 2}]
faults:
  - {at: 10s, restart: {worker: 0, downtime: 5s}}
  - {at: 20s, speed: {worker: 1, factor: 0.5}, for: 10s}
  - {at: 20s, scrape_status: {worker: 1, status: 503}, for: 10s}
`)
	at := func(seconds int, check func(f *fleetsim.Fleet)) {
		clock.move(time.Unix(1_800_000_000, 0).Add(time.Duration(seconds) * time.Second).Sub(clock.Now()))
		r.Do(check)
	}
	status := func(worker int) int {
		code, _, err := get(t.Context(), "http://"+r.Addresses().Workers[worker]+"/metrics")
		if err != nil {
			return 0
		}
		return code
	}
	at(12, func(f *fleetsim.Fleet) { assert.False(t, f.Up(0)) })
	assert.Zero(t, status(0), "no answer from a process that is not there")
	at(16, func(f *fleetsim.Fleet) { assert.True(t, f.Up(0)) })
	assert.Equal(t, http.StatusOK, status(0))
	at(25, func(f *fleetsim.Fleet) { assert.Equal(t, 0.5, f.Speed(1)) })
	assert.Equal(t, http.StatusServiceUnavailable, status(1))
	at(31, func(f *fleetsim.Fleet) { assert.Equal(t, 1.0, f.Speed(1)) })
	assert.Equal(t, http.StatusOK, status(1))
}

func TestFaultsGivenWhileRunning(t *testing.T) {
	r, clock := startRig(t, "pools: [{workers: 2}]\nprotocols: {kv_events: {port: 0}}")
	clock.move(5 * time.Second)
	control := r.Addresses().Control
	for text, want := range map[string]string{
		`{"speed": {"worker": 1, "factor": 0.25}}`:       "",
		`{"version": {"worker": 0, "version": "0.9.0"}}`: "",
		`{"event_loss": {"share": 0.5}, "for": "3s"}`:    "",
		`{"label_churn": {}}`:                            "",
		`{"clock_skew": {"worker": 1, "delay": "-2s"}}`:  "",
		`{"speed": {"worker": 7, "factor": 0.25}}`:       "speed.worker: must be from 0 to 1, is 7",
		`{"at": "3s", "counter_reset": {}}`:              "at: must not be set",
		`{"agent_death": {}}`:                            "fault agent_death: the scenario has no protocols.nixl",
		`{"xid": {"xid": 79}}`:                           "fault xid: the scenario has no protocols.nvml",
		`{"speeed": {}}`:                                 "unknown keys: speeed",
		`{`:                                              "must be whole JSON",
		`{"restart": {}}x`:                               "must be whole JSON",
		`{"version": {"worker": 0, "version": "1.2"}}`:   `version: got "1.2"`,
	} {
		code, answer := post(t, control, text)
		if want == "" {
			assert.Equal(t, http.StatusNoContent, code, text+answer)
			continue
		}
		assert.Equal(t, http.StatusBadRequest, code, text)
		assert.Contains(t, answer, want)
	}
	r.Do(func(f *fleetsim.Fleet) { assert.Equal(t, 0.25, f.Speed(1)) })
	clock.move(5 * time.Second)
	page := body(t, r.Addresses().Workers[0]+"/metrics")
	assert.Contains(t, page, "replica_uid=")
	assert.NotContains(t, page, "vllm:prompt_tokens_by_source", "an older release")
	resp, err := http.Get("http://" + r.Addresses().Workers[1] + "/metrics")
	require.NoError(t, err)
	resp.Body.Close()
	date, err := http.ParseTime(resp.Header.Get("Date"))
	require.NoError(t, err)
	assert.Equal(t, time.Unix(1_800_000_008, 0).UTC(), date)
	active := body(t, control+"/faults")
	assert.Contains(t, active, `"kind": "label_churn"`)
	assert.Contains(t, active, `"clock_skew"`)
	r2, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+control+"/faults", nil)
	require.NoError(t, err)
	resp, err = http.DefaultClient.Do(r2)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusNoContent, resp.StatusCode)
	assert.Contains(t, body(t, control+"/faults"), `"active": []`)
	assert.NotContains(t, body(t, r.Addresses().Workers[1]+"/metrics"), "replica_uid=")
	r.Do(func(f *fleetsim.Fleet) { assert.Equal(t, 1.0, f.Speed(1)) })
	code, _ := post(t, control, strings.Repeat("x", maxFaultBytes+1))
	assert.Equal(t, http.StatusRequestEntityTooLarge, code)
}

func TestStartRefusesWhatCannotBe(t *testing.T) {
	used, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer used.Close()
	for want, change := range map[string]func(*Options){
		"control: address already in use: " + used.Addr().String(): func(o *Options) { o.Control = used.Addr().String() },
		"listen: must be a loopback address":                       func(o *Options) { o.Listen = "0.0.0.0:1" },
		"speed: must be at least 0, is -1":                         func(o *Options) { o.Speed = -1 },
		"protocols.nixl.dir":                                       func(o *Options) { o.Scenario.Protocols.NIXL = &scenario.NIXL{Dir: "/dev/null/x", Layout: 4} },
		"protocols.nvml.state":                                     func(o *Options) { o.Scenario.Protocols.NVML = &scenario.NVML{State: "/no/such/folder/state"} },
		"protocols.kv_events, worker 0": func(o *Options) {
			o.Scenario.Protocols.KVEvents = &scenario.KVEvents{Port: used.Addr().(*net.TCPAddr).Port, Form: "map", Hashes: "native"}
		},
	} {
		o := DefaultOptions(load(t, "pools: [{}]"))
		o.Listen, o.Control = "127.0.0.1:0", "127.0.0.1:0"
		change(&o)
		_, err := Start(o)
		assert.ErrorContains(t, err, want)
	}
}

// A run ends with its workload, whatever is planned beyond, and says the truth of its last moment.
func TestTheLastTruthEndsTheFile(t *testing.T) {
	dir := t.TempDir()
	trace := filepath.Join(dir, "t.csv")
	require.NoError(t, os.WriteFile(trace, []byte("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,374,44\n2023-11-16 18:15:59,374,44\n"), 0o600))
	o := DefaultOptions(load(t, "workload: {trace: {path: "+trace+"}}\nprotocols: {kv_events: {}, forward_passes: {}}\nfaults: [{at: 1h, counter_reset: {}}]"))
	o.Speed, o.NoServers, o.Truth = 0, true, filepath.Join(dir, "truth")
	r, err := Start(o)
	require.NoError(t, err)
	assert.Empty(t, r.Addresses().KVEvents, "nothing listens")
	require.NoError(t, r.Run(context.Background()))
	require.NoError(t, r.Close())
	b, err := os.ReadFile(o.Truth)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	assert.Len(t, lines, 2)
	assert.Contains(t, lines[1], `"finished_requests":2`)
}

func TestRunEndsWithTheScenario(t *testing.T) {
	o := DefaultOptions(load(t, "duration: 30s"))
	o.Speed, o.NoServers = 0, true
	r, err := Start(o)
	require.NoError(t, err)
	require.NoError(t, r.Run(context.Background()))
	r.Do(func(f *fleetsim.Fleet) { assert.Equal(t, 30*time.Second, f.Now()) })
	require.NoError(t, r.Close())
}
