package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// startDemo runs the collector with the demo's configuration on the fleet and returns the page's URL.
func startDemo(t *testing.T, workers []string) (*rig.Process, string) {
	t.Helper()
	page := freeAddress(t)
	endpoints, err := json.Marshal(workers)
	require.NoError(t, err)
	env := []string{"DEMO_PAGE=" + page, "DEMO_ENDPOINTS=" + string(endpoints)}
	p := start(t, env, collector(t), "--config", filepath.Join("distributions", "otelcol-inference", "demo.yaml"))
	return p, "http://" + page
}

type verdicts struct {
	Fleets []struct {
		Verdict struct {
			Code       string   `json:"code"`
			Standing   string   `json:"standing"`
			Title      string   `json:"title"`
			Confidence *float64 `json:"confidence"`
		} `json:"verdict"`
		Workers struct {
			OK   int `json:"ok"`
			Down int `json:"down"`
		} `json:"workers"`
		Phase struct {
			Prefill, Decode, Idle, Unattributed *float64
		} `json:"phase"`
	} `json:"fleets"`
}

func verdict(url string) (v verdicts, ok bool) {
	body, ok := fetch(url+"/api/v1/verdict", "application/json")
	return v, ok && json.Unmarshal([]byte(body), &v) == nil
}

// A demo fleet is observed end to end: the first word is preliminary, the phases get their shares, everything stops cleanly.
func TestDemoEndToEnd(t *testing.T) {
	fleet := rig.NewFleet(t, "aggregated-mixed")
	demo, url := startDemo(t, fleet.Workers)

	var first verdicts
	require.Eventually(t, func() bool {
		v, ok := verdict(url)
		first = v
		return ok && len(v.Fleets) == 1 && v.Fleets[0].Verdict.Confidence != nil
	}, patience, 200*time.Millisecond)
	assert.Equal(t, "preliminary", first.Fleets[0].Verdict.Standing, first.Fleets[0].Verdict.Title)
	assert.Less(t, *first.Fleets[0].Verdict.Confidence, 0.5)

	require.Eventually(t, func() bool {
		v, ok := verdict(url)
		return ok && len(v.Fleets) == 1 && v.Fleets[0].Phase.Prefill != nil && *v.Fleets[0].Phase.Prefill > 0 &&
			v.Fleets[0].Phase.Decode != nil && *v.Fleets[0].Phase.Decode > 0
	}, patience, 500*time.Millisecond, "the phases get their shares of the time")

	var list struct {
		Workers []struct {
			ID string `json:"id"`
		} `json:"workers"`
	}
	body, ok := fetch(url+"/api/v1/workers", "application/json")
	require.True(t, ok)
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	assert.Len(t, list.Workers, 4)

	page, ok := fetch(url+"/", "text/html")
	require.True(t, ok)
	assert.Contains(t, page, "<html")

	assert.Zero(t, demo.Stop(t), "the collector stops cleanly")
	assert.Zero(t, fleet.Stop(t), "so does the fleet")
}

// A worker that dies costs its own row only, is named, and counts again when it comes back, without a restart of the collector.
func TestAWorkerThatDiesAndComesBack(t *testing.T) {
	fleet := rig.NewFleet(t, "aggregated-mixed")
	require.Len(t, fleet.Workers, 4)
	address := strings.Replace(freeAddress(t), "localhost", "127.0.0.1", 1)
	single := func() *rig.Process {
		return start(t, nil, rig.Built(t, "fleetsim"), "--set", "pools[0].workers=1", "--listen", address, "--control", "127.0.0.1:0")
	}
	mortal := single()
	demo, url := startDemo(t, append(fleet.Workers[:3:3], address))
	ok := func(up, down int) func() bool {
		return func() bool {
			v, there := verdict(url)
			return there && len(v.Fleets) == 1 && v.Fleets[0].Workers.OK == up && v.Fleets[0].Workers.Down == down
		}
	}
	require.Eventually(t, ok(4, 0), patience, 200*time.Millisecond, "all four are up")
	mortal.Stop(t)
	require.Eventually(t, ok(3, 1), patience, 200*time.Millisecond, "one is down and the others are not")
	require.Eventually(t, func() bool {
		said, _ := fetch(url+"/api/v1/verdict", "text/plain")
		return strings.Contains(said, "1 of 4 workers is down")
	}, patience, 200*time.Millisecond, "the adviser changes a verdict only after it held for some windows")
	single()
	require.Eventually(t, ok(4, 0), patience, 200*time.Millisecond, "it is back")
	assert.Zero(t, demo.Stop(t))
}

// Without an engine the zero-configuration collector runs and says so.
func TestZeroConfigurationWithoutEngines(t *testing.T) {
	p := start(t, nil, collector(t), "--config", filepath.Join("distributions", "otelcol-inference", "config.yaml"))
	var said string
	require.Eventually(t, func() bool {
		body, ok := fetch("http://localhost:8899/api/v1/verdict", "text/plain")
		said = body
		return ok
	}, patience, 200*time.Millisecond)
	assert.Contains(t, strings.ToLower(said), "no engine")
	// The page is served before all has started, and until then a signal is not handled but kills.
	require.Eventually(t, func() bool { return strings.Contains(p.Output(), "Everything is ready") }, patience, 50*time.Millisecond)
	assert.Zero(t, p.Stop(t))
}
