package chaos

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// fault is one thing that goes wrong, and where it has to show.
type fault struct {
	name  string
	few   bool    // in the small fleet, which has streams, GPUs and NIXL; else in the large one
	body  string  // %d is a worker
	sign  string  // series that change meanwhile, of the collector's own page or of the small fleet's
	falls bool    // whether the sum of the series falls
	by    float64 // how much it changes at least, where it changes a little by itself
	// status is whether the component status tells of it.
	status bool
	after  string // a fault that brings back what this one took, "" where healing does
	back   string // series whose sum is to be again what it was before, "" for none
}

const (
	scrapes  = `^otelcol_receiver_llm_engine_scrapes_total\{.*outcome="%s"`
	messages = `^llm_source_messages_total\{.*outcome="%s"`
)

func outcome(name string) string { return fmt.Sprintf(scrapes, name) }

func message(outcome string) string { return fmt.Sprintf(messages, outcome) }

// faults are those whose name FAULT, a regular expression, matches; all without it.
func faults(t *testing.T) []fault {
	t.Helper()
	name, err := regexp.Compile(os.Getenv("FAULT"))
	require.NoError(t, err)
	chosen := slices.DeleteFunc(allFaults(), func(f fault) bool { return !name.MatchString(f.name) })
	require.NotEmpty(t, chosen, "FAULT names none")
	return chosen
}

func allFaults() []fault {
	return []fault{
		{name: "process restarts", body: `{"restart": {"worker": %d, "downtime": "15s"}}`, sign: outcome("connection"), status: true},
		{name: "page hangs", body: `{"scrape_hang": {"worker": %d}}`, sign: outcome("timeout"), status: true},
		{name: "page is slow", body: `{"scrape_delay": {"worker": %d, "delay": "30s"}}`, sign: outcome("timeout"), status: true},
		{name: "page answers 500", body: `{"scrape_status": {"worker": %d, "status": 500}}`, sign: outcome("http_status"), status: true},
		{name: "page answers 404", body: `{"scrape_status": {"worker": %d, "status": 404}}`, sign: outcome("http_status"), status: true},
		{name: "page is cut off", body: `{"scrape_truncate": {"worker": %d, "share": 0.5}}`, sign: outcome("connection|malformed"), status: true},
		{name: "labels differ at every scrape", body: `{"label_churn": {"worker": %d}}`, sign: `^otelcol_receiver_llm_engine_series`, by: 400},
		{name: "engine is updated", body: `{"version": {"worker": %d, "version": "0.10.2", "downtime": "15s"}}`, sign: outcome("connection"), status: true},
		{name: "counters begin anew", few: true, body: `{"counter_reset": {"worker": 0}}`, sign: `^llm_engine_request_count_total`, falls: true},
		{name: "KV events lost", few: true, body: `{"event_loss": {"worker": 0, "share": 0.5}}`, sign: message("replayed")},
		{name: "KV events are garbage", few: true, body: `{"event_garbage": {"worker": 0, "count": 20}}`, sign: message("refused|malformed|undecodable")},
		{name: "KV events come twice", few: true, body: `{"event_duplicate": {"worker": 0, "count": 20}}`, sign: message("duplicate")},
		{name: "NIXL agent dies", few: true, body: `{"agent_death": {"worker": 1}}`, sign: `^nixl_agents|^nixl_agent_(up|restarts)`,
			after: `{"restart": {"worker": 1, "downtime": "1s"}}`, back: `^nixl_agent_up`},
		{name: "GPU is lost", few: true, body: `{"gpu": {"device": 0, "result": "GPU_IS_LOST"}}`, sign: `^otelcol_receiver_nvml_call_failures`, status: true},
		{name: "GPU reports an XID", few: true, body: `{"xid": {"device": 1, "xid": 79}}`, sign: `^nvidia_gpu_xid_count`},
		{name: "GPU memory errors", few: true, body: `{"ecc": {"device": 1, "corrected": 5, "uncorrected": 2}}`, sign: `^hw_errors`},
		{name: "GPU is pulled", few: true, body: `{"gpu_count": {"gpus": 2}}`, sign: `^otelcol_receiver_nvml_devices`, back: `^otelcol_receiver_nvml_devices`},
		{name: "driver is reloaded", few: true, body: `{"driver_reload": {}}`, sign: `^otelcol_receiver_nvml_initializations`},
	}
}

// on gives the fault to a worker.
func (f fault) on(worker int) string {
	if regexp.MustCompile(`%d`).MatchString(f.body) {
		return fmt.Sprintf(f.body, worker)
	}
	return f.body
}

// shows tells whether the series tell of the fault.
func (f fault) shows(before, now float64) bool {
	if f.falls {
		return now < before
	}
	return math.Abs(now-before) > f.by
}
