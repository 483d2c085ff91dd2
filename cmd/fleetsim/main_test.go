package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeClock stands still until it is moved.
type fakeClock struct {
	mu    sync.Mutex
	now   time.Time
	ticks chan time.Time
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Unix(1_800_000_000, 0), ticks: make(chan time.Time)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) After(time.Duration) (<-chan time.Time, func()) { return nil, func() {} }

func (c *fakeClock) Ticks(time.Duration) (<-chan time.Time, func()) { return c.ticks, func() {} }

func (c *fakeClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// ready is the line printed when everything listens.
type ready struct {
	Workers []string `json:"workers"`
	Control string   `json:"control"`
	Model   string   `json:"model"`
}

// program is a fleetsim running in the test.
type program struct {
	ready  ready
	clock  *fakeClock
	stop   context.CancelFunc
	exit   chan int
	stderr bytes.Buffer
}

// launch starts the program on free loopback ports and waits until it is ready.
func launch(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	p := &program{clock: newFakeClock(), stop: stop, exit: make(chan int, 1)}
	out, in := io.Pipe()
	args = append(args, "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0")
	go func() {
		p.exit <- run(ctx, args, in, &p.stderr, p.clock)
		in.Close()
	}()
	if err := json.NewDecoder(out).Decode(&p.ready); err != nil {
		t.Fatalf("no ready line: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return p
}

// end stops the program and returns its exit code.
func (p *program) end() int {
	p.stop()
	return <-p.exit
}

func fetch(t *testing.T, url string) (string, http.Header) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v %s", url, resp.Status, err, body)
	}
	return string(body), resp.Header
}

func TestWorkersAnswerLikeVLLM(t *testing.T) {
	dir := t.TempDir()
	ledgerPath, requestsPath := filepath.Join(dir, "ledger.json"), filepath.Join(dir, "requests.jsonl")
	p := launch(t, "--set", "pools[0].workers=2", "--ledger", ledgerPath, "--requests", requestsPath)
	if len(p.ready.Workers) != 2 {
		t.Fatalf("ready: %+v", p.ready)
	}
	p.clock.move(30 * time.Second)
	base := "http://" + p.ready.Workers[1]
	page, header := fetch(t, base+"/metrics")
	if header.Get("Content-Type") != engine.VLLMContentType {
		t.Errorf("content type %q", header.Get("Content-Type"))
	}
	if !strings.Contains(page, "process_start_time_seconds 1.8e+09\n") || strings.Contains(page, "vllm:generation_tokens_total{engine=\"0\",model_name=\""+p.ready.Model+"\"} 0.0\n") {
		t.Error("the page does not show 30 s of work since the clock's start")
	}
	if version, _ := fetch(t, base+"/version"); version != `{"version":"`+engine.VLLMVersion+`"}` {
		t.Errorf("version: %s", version)
	}
	if models, _ := fetch(t, base+"/v1/models"); !strings.Contains(models, `"id":"`+p.ready.Model+`"`) || !strings.Contains(models, `"max_model_len":131072`) {
		t.Errorf("models: %s", models)
	}
	fetch(t, base+"/health")
	fetch(t, "http://"+p.ready.Control+"/healthz")

	p.clock.move(30 * time.Second)
	text, _ := fetch(t, "http://"+p.ready.Control+"/truth")
	var served fleetsim.Ledger
	if err := json.Unmarshal([]byte(text), &ledgerOf{&served}); err != nil {
		t.Fatal(err)
	}
	if served.Fleet.SimulatedSeconds != 60 || len(served.Workers) != 2 || served.Fleet.FinishedRequests == 0 {
		t.Errorf("truth: %+v", served.Fleet)
	}
	if code := p.end(); code != exitOK {
		t.Fatalf("exit code %d: %s", code, p.stderr.String())
	}
	var dumped fleetsim.Ledger
	b, err := os.ReadFile(ledgerPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &ledgerOf{&dumped}); err != nil {
		t.Fatal(err)
	}
	if dumped.Fleet != served.Fleet {
		t.Errorf("ledger file\n%+v\nis not the last truth served\n%+v", dumped.Fleet, served.Fleet)
	}
	lines, err := os.ReadFile(requestsPath)
	if err != nil || int64(bytes.Count(lines, []byte("\n"))) != dumped.Fleet.FinishedRequests {
		t.Errorf("%d request lines for %d finished requests (%v)", bytes.Count(lines, []byte("\n")), dumped.Fleet.FinishedRequests, err)
	}
}

// ledgerOf reads a ledger without its workload, which is of many types.
type ledgerOf struct{ *fleetsim.Ledger }

func (l *ledgerOf) UnmarshalJSON(b []byte) error {
	var part struct {
		Fleet   fleetsim.Truth   `json:"fleet"`
		Workers []fleetsim.Truth `json:"workers"`
	}
	err := json.Unmarshal(b, &part)
	l.Fleet, l.Workers = part.Fleet, part.Workers
	return err
}

func TestDurationEndsTheRun(t *testing.T) {
	p := launch(t, "--set", "pools[0].workers=1", "--duration", "10s", "--speed", "100")
	p.clock.move(time.Second)
	p.clock.ticks <- time.Time{}
	if code := <-p.exit; code != exitOK {
		t.Errorf("exit code %d: %s", code, p.stderr.String())
	}
	p.stop()
}

// As fast as possible needs no clock at all; the truth is the same on every run.
func TestSprintIsReproducible(t *testing.T) {
	var ledgers [2][]byte
	for i := range ledgers {
		path := filepath.Join(t.TempDir(), "ledger.json")
		p := launch(t, "--set", "pools[0].workers=2", "--speed", "0", "--duration", "1m", "--set", "seed=9", "--ledger", path)
		if code := <-p.exit; code != exitOK {
			t.Fatalf("exit code %d: %s", code, p.stderr.String())
		}
		p.stop()
		var err error
		if ledgers[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if len(ledgers[0]) == 0 || !bytes.Equal(ledgers[0], ledgers[1]) {
		t.Error("two runs with one seed differ")
	}
}

func TestTraceEndsTheRunAndItsErrorsShow(t *testing.T) {
	good := "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,374,44\n"
	for text, want := range map[string]int{good: exitOK, good + "x,1,1\n": exitError} {
		path := filepath.Join(t.TempDir(), "trace.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := launch(t, "--set", "pools[0].workers=1", "--set", "workload={trace: {path: "+path+"}}", "--speed", "0")
		if code := <-p.exit; code != want {
			t.Errorf("exit code %d, want %d: %s", code, want, p.stderr.String())
		}
		p.stop()
		if want != exitOK && !strings.Contains(p.stderr.String(), "trace.csv:3: TIMESTAMP \"x\"") {
			t.Errorf("stderr: %s", p.stderr.String())
		}
	}
}

func TestWrongArgumentsAreRefused(t *testing.T) {
	used, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	for want, args := range map[string][]string{
		"listen: must be a loopback address unless allow-remote is set":          {"--listen", "0.0.0.0:18000"},
		"control: must be a loopback address":                                    {"--control", "example.org:1"},
		"control: must be host:port":                                             {"--control", "17999"},
		"speed: must be at least 0, is -1":                                       {"--speed", "-1"},
		"needs a duration (--duration or the scenario's) or a trace that ends":   {"--speed", "0"},
		"workload.synthetic.load_per_worker: must be above 0, or 0 for 1, is -2": {"--set", "workload={synthetic: {load_per_worker: -2}}"},
		"workers: must be at least 1, is 0":                                      {"--set", "pools[0].workers=0"},
		`gpu: unknown value "x"`:                                                 {"--set", "pools[0].gpu=x"},
		`unexpected argument "x"`:                                                {"run", "aggregated-mixed", "x"},
		`unknown command "x"; commands: run, scenarios, show`:                    {"x"},
		`unknown name "x"; known: advice-`:                                       {"run", "x"},
		`pools[0].workers: must be a whole number, is "two"`:                     {"--set", "pools[0].workers=two"},
		"duration: must be at least 0s, is -1s":                                  {"--duration", "-1s"},
		"must be path=value":                                                     {"--set", "x"},
		"requests: open /":                                                       {"--requests", "/no/such/folder/file"},
		"address already in use":                                                 {"--control", used.Addr().String()},
		"the port of worker 1 must be from 0 to 65535":                           {"--listen", "127.0.0.1:65535", "--control", "127.0.0.1:0"},
		"flag provided but not defined":                                          {"--nonsense"},
	} {
		var stderr bytes.Buffer
		if code := run(t.Context(), args, io.Discard, &stderr, newFakeClock()); code == exitOK || !strings.Contains(stderr.String(), want) {
			t.Errorf("%v: exit code %d, stderr %q, want %q", args, code, stderr.String(), want)
		}
	}
	if code := run(t.Context(), []string{"--help"}, io.Discard, io.Discard, newFakeClock()); code != exitOK {
		t.Errorf("--help: exit code %d", code)
	}
}

// The real program: real clock, real signal.
func TestMainStopsOnSignal(t *testing.T) {
	if os.Getenv("FLEETSIM_TEST_MAIN") == "1" {
		os.Args = []string{"fleetsim", "--set", "pools[0].workers=1", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"}
		main()
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	child, err := os.StartProcess(self, []string{self, "-test.run", "TestMainStopsOnSignal"},
		&os.ProcAttr{Env: append(os.Environ(), "FLEETSIM_TEST_MAIN=1"), Files: []*os.File{nil, in, os.Stderr}})
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	var r ready
	if err := json.NewDecoder(out).Decode(&r); err != nil {
		t.Fatal(err)
	}
	fetch(t, "http://"+r.Workers[0]+"/metrics")
	if err := child.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	state, err := child.Wait()
	if err != nil || !state.Success() {
		t.Errorf("%v %v", state, err)
	}
}
