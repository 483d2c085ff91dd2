//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu/gputest"
)

const joining = `
receivers:
  llm_engine:
    endpoint: %q
    collection_interval: 500ms
  nvml:
    library: %q
    collection_interval: 500ms
    metrics:
      nvidia.gpu.process.memory.usage: {enabled: true}
processors:
  phase_attribution: {window: 1s}
exporters:
  prometheus:
    endpoint: %q
    resource_constant_labels: {included: ["*"]}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [llm_engine, nvml], processors: [phase_attribution], exporters: [prometheus]}
`

// vllmPage is the page of a vLLM that generates a hundred tokens per second.
func vllmPage(model string) http.HandlerFunc {
	began := time.Now()
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = fmt.Fprintf(w, "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %d\n"+
			"# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{engine=\"0\",model_name=%q} 2\n"+
			"# TYPE vllm:generation_tokens_total counter\nvllm:generation_tokens_total{engine=\"0\",model_name=%q} %d\n",
			began.Unix(), model, model, int(100*time.Since(began).Seconds()))
	}
}

// fakeGPUs runs two GPUs, of which the second has MIG, until the test ends. Their processes are told by place.
func fakeGPUs(t *testing.T, places func(device int) []gpu.Process) (state *gpu.State) {
	t.Helper()
	machine, err := gpu.Template("h100", 2)
	require.NoError(t, err)
	state, err = gpu.Create(filepath.Join(t.TempDir(), "state"), machine)
	require.NoError(t, err)
	require.NoError(t, state.ConfigureMIG(1, true, gpu.MIGInstance{Slices: 3, Memory: 40 << 30}, gpu.MIGInstance{Slices: 1, Memory: 10 << 30}))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		began := time.Now()
		for {
			for device := range 2 {
				s := gpu.Sample{Time: time.Now(), Power: 300, Energy: 300 * time.Since(began).Seconds(), MemoryUsed: 20 << 30, Processes: places(device)}
				if err := state.Update(device, s); err != nil {
					t.Errorf("update: %v", err)
				}
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done; assert.NoError(t, state.Close()) })
	return state
}

// The engine is this test: a process that listens, and that the driver names on a GPU. Nothing else tells the collector where it runs.
func TestAnEngineIsJoinedWithTheGPUThatItsProcessIsOn(t *testing.T) {
	library := gputest.BuildStub(t)
	for name, place := range map[string]struct{ device, mig int }{"a GPU": {0, 0}, "a MIG device": {1, 1}} {
		t.Run(name, func(t *testing.T) {
			engine := httptest.NewServer(vllmPage("m"))
			t.Cleanup(engine.Close)
			state := fakeGPUs(t, func(device int) []gpu.Process {
				if device != place.device {
					return []gpu.Process{{PID: 1, Memory: 1 << 30}}
				}
				return []gpu.Process{{PID: uint32(os.Getpid()), Memory: 16 << 30, MIG: place.mig}}
			})
			out := freeAddress(t)
			config := filepath.Join(t.TempDir(), "config.yaml")
			require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, joining, engine.URL, library, out), 0o600))
			start(t, []string{"FLEETSIM_NVML_STATE=" + state.Path()}, collector(t), "--config", config)

			phase := regexp.MustCompile(`(?m)^llm_phase_gpu_time_seconds_total\{.*\} (\S+)`)
			var page string
			require.Eventually(t, func() bool {
				page, _ = fetch("http://"+out+"/metrics", "text/plain")
				total := 0.0
				for _, found := range phase.FindAllStringSubmatch(page, -1) {
					seconds, err := strconv.ParseFloat(found[1], 64)
					require.NoError(t, err)
					total += seconds
				}
				return total >= 2
			}, patience, 200*time.Millisecond)
			joined := regexp.MustCompile(`(?m)^llm_engine_gpu_info_ratio\{.*hw_id="([^"]+)"`).FindAllStringSubmatch(page, -1)
			if assert.Len(t, joined, 1) {
				assert.Regexp(t, map[bool]string{true: "^MIG-", false: "^GPU-"}[place.device == 1], joined[0][1])
			}
			assert.Contains(t, page, `process_pid="`+strconv.Itoa(os.Getpid())+`"`)
		})
	}
}
