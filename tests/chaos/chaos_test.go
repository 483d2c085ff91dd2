package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/gpu/gputest"
	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

const (
	many     = 950 // workers that stay; as many as churn come on top
	churning = 50
	settle   = 2 * time.Minute // longest that is waited for a fault to show: an agent that ends in a process that lives is missed once a minute
	heal     = 5 * time.Minute // and to be over: above the pauses after which what was refused is tried again
)

// stage is the collector, its fleets, and where they are seen.
type stage struct {
	collector *rig.Collector
	many, few *rig.Fleet
	page      string // URL: what the small fleet gives
	status    string // URL
	profile   string // URL
	churned   *rig.Fleet
	control   int // port of the control server of the workers that come and go, which is no engine
	began     time.Time
}

func TestChaos(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("CHAOS"))
	require.NoError(t, err, "CHAOS is how long, such as 30m; `make chaos` sets it")
	s := newStage(t)
	ends := time.Now().Add(length)
	s.wait(t, rig.Patience, "the large fleet is scraped", func() bool { return s.sum(t, `^otelcol_receiver_llm_engine_scrapes_total.*success`) > 2*many })
	s.churn(t)
	var took []use
	results := map[string]*result{}
	chosen := faults(t)
	for round := 0; round == 0 || time.Now().Before(ends); round++ {
		for _, f := range chosen {
			if !time.Now().Before(ends) && round > 0 {
				break
			}
			s.try(t, f, round, results)
			took = append(took, s.use(t))
			require.True(t, s.collector.Running(), "the collector ended: %s", s.collector.Output())
		}
		s.churn(t)
		s.forgotten(t)
	}
	report(t, chosen, results, took)
	for _, f := range chosen {
		r := results[f.name]
		assert.Equal(t, r.tried, r.seen, "%s: times seen in a metric", f.name)
		assert.Equal(t, r.tried, r.told, "%s: times told by the status", f.name)
		assert.Equal(t, r.tried, r.healed, "%s: times well again", f.name)
	}
	flat(t, took)
}

// newStage starts everything.
func newStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	state := filepath.Join(dir, "nvml")
	nixl := filepath.Join(dir, "nixl")
	require.NoError(t, os.Mkdir(nixl, 0o755))
	s := &stage{
		many: rig.NewFleet(t, "aggregated-mixed", "--set", fmt.Sprintf("pools[0].workers=%d", many), "--set", "workload.synthetic.load_per_worker=0.02"),
		few:  rig.NewFleet(t, "pd-balanced", "--set", fmt.Sprintf("protocols={kv_events: {replay_port: 0}, nixl: {dir: %s}, nvml: {state: %s}}", nixl, state)),
	}
	s.control = rig.FreePort(t)
	c := rig.NewCollector(t, "collector", "config.yaml")
	page, status, profile := rig.Local(rig.FreePort(t)), rig.Local(rig.FreePort(t)), rig.Local(rig.FreePort(t))
	s.collector, s.page, s.status = c, "http://"+page+"/metrics", "http://"+status+"/status?verbose"
	s.profile = "http://" + profile + "/debug/pprof/"
	c.Env = append(c.Env, "FLEETSIM_NVML_STATE="+state)
	c.Overlay = s.overlay(t, gputest.BuildStub(t), nixl, page, status, profile)
	c.Start(t)
	s.began = time.Now()
	return s
}

// overlay makes of the zero configuration one of two fleets: a large one of static and discovered workers, whose points go to the page only,
// and a small one with everything, whose points can be looked at.
func (s *stage) overlay(t *testing.T, library, nixl, page, status, profile string) string {
	t.Helper()
	return fmt.Sprintf(`
extensions:
  pprof: {endpoint: "%[8]s"}
  healthcheckv2:
    use_v2: true
    http: {endpoint: "%[1]s", status: {enabled: true, path: /status}, config: {enabled: false}}
receivers:
  llm_engine/many: {collection_interval: 10s, timeout: 8s, max_series: 3000, endpoints: %[2]s}
  llm_engine/few: {collection_interval: 2s, endpoints: %[3]s}
  receiver_creator:
    receivers:
      llm_engine/churn:
        rule: type == "hostport" && command contains "load_per_worker=0.03" && port != %[9]d
        config: {endpoint: '`+"`endpoint`"+`', collection_interval: 10s}
  nvml: {library: "%[4]s", collection_interval: 2s}
  nixl: {sources: {buffer: {directories: ["%[5]s"]}}, collection_interval: 2s}
processors:
  memory_limiter: {limit_mib: 1500, spike_limit_mib: 300}
  phase_attribution/few: {window: 2s}
  kv_fragmentation/few: {window: 2s}
exporters:
  inference_dashboard: {endpoint: "%[6]s"}
  prometheus: {endpoint: "%[7]s"}
  nop:
service:
  extensions: [health_check, host_observer, healthcheckv2, pprof]
  pipelines:
    metrics: {receivers: [receiver_creator, llm_engine/many], exporters: [inference_dashboard, advice, nop]}
    metrics/few: {receivers: [llm_engine/few, nvml, nixl], processors: [memory_limiter, phase_attribution/few, kv_fragmentation/few], exporters: [prometheus]}
    metrics/advice: {exporters: [inference_dashboard]}
`, status, s.many.Entries, s.few.Entries, library, nixl, rig.Local(rig.FreePort(t)), page, profile, s.control)
}

// churn replaces the workers that come and go, which the collector finds and loses by itself.
func (s *stage) churn(t *testing.T) {
	t.Helper()
	if s.churned != nil {
		s.churned.Stop(t)
	}
	s.churned = rig.NewFleet(t, "aggregated-mixed", "--set", fmt.Sprintf("pools[0].workers=%d", churning), "--set", "workload.synthetic.load_per_worker=0.03",
		"--control", rig.Local(s.control))
}

// forgotten waits until workers that went cost no scrape any more, which would look like a fault: two rounds of scrapes later, with nobody unwell.
func (s *stage) forgotten(t *testing.T) {
	t.Helper()
	scraped := s.sum(t, outcome("success"))
	s.wait(t, heal, "workers that went are forgotten", func() bool {
		answers, unwell := s.tells()
		return answers && !unwell && s.sum(t, outcome("success")) > scraped+2*many
	})
}

// sum looks at both pages. One that does not answer yet is asked again: it would look like a change.
func (s *stage) sum(t *testing.T, series string) float64 {
	t.Helper()
	var few, own string
	rig.Eventually(t, "the collector's pages answer", func() bool {
		var err error
		own = s.collector.Page()
		few, err = rig.Get(s.page)
		return err == nil && own != ""
	})
	return rig.Sum(own+few, regexp.MustCompile(series))
}

func (s *stage) wait(t *testing.T, most time.Duration, what string, condition func() bool) bool {
	t.Helper()
	for end := time.Now().Add(most); time.Now().Before(end); <-time.After(500 * time.Millisecond) {
		if condition() {
			return true
		}
	}
	t.Logf("not within %s: %s", most, what)
	return false
}

// result is what came of one fault, over all rounds.
type result struct {
	tried, seen, told, healed int
}

// try lets a fault happen until it shows, heals it, and waits until a scrape of a healthy fleet follows.
func (s *stage) try(t *testing.T, f fault, round int, results map[string]*result) {
	t.Helper()
	r := results[f.name]
	if r == nil {
		r = &result{}
		results[f.name] = r
	}
	r.tried++
	fleet, worker := s.many, (round*37+len(results)*53)%many
	if f.few {
		fleet = s.few
	}
	before, had := s.sum(t, f.sign), 0.0
	if f.back != "" {
		had = s.sum(t, f.back)
	}
	if err := fleet.Fault(f.on(worker)); err != nil {
		t.Errorf("%s: %v", f.name, err)
		return
	}
	// Both are looked at in turn, because what shows in one may be over before the other was waited for.
	seen, told := false, !f.status
	s.wait(t, settle, f.name+" shows in a metric and, where it should, in the status", func() bool {
		seen = seen || f.shows(before, s.sum(t, f.sign))
		if !told {
			_, told = s.tells()
		}
		return seen && told
	})
	r.seen += one(seen)
	r.told += one(told)
	require.NoError(t, fleet.Heal())
	if f.after != "" {
		require.NoError(t, fleet.Fault(f.after))
	}
	healed := s.healthy(t, f, had)
	r.healed += one(healed)
	t.Logf("%4.0f s: %s: seen %t, told %t, healed %t", time.Since(s.began).Seconds(), f.name, seen, told, healed)
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// tells is whether the status answers, and whether any component is one that may recover.
func (s *stage) tells() (answers, unwell bool) {
	text, err := rig.Get(s.status)
	return err == nil, strings.Contains(text, "StatusRecoverableError")
}

// healthy waits until scrapes go on, no component is unwell, so that the next fault has its own say, and what the fault took is back.
func (s *stage) healthy(t *testing.T, f fault, had float64) bool {
	t.Helper()
	scraped := s.sum(t, outcome("success"))
	return s.wait(t, heal, f.name+" is over", func() bool {
		answers, unwell := s.tells()
		return answers && !unwell && s.sum(t, outcome("success")) > scraped && (f.back == "" || s.sum(t, f.back) == had)
	})
}

// report prints the table of faults and outcomes.
func report(t *testing.T, chosen []fault, results map[string]*result, took []use) {
	t.Helper()
	t.Logf("%-32s %6s %10s %10s %8s", "fault", "tried", "in metric", "in status", "healed")
	for _, f := range chosen {
		r := results[f.name]
		told := "-"
		if f.status {
			told = fmt.Sprint(r.told)
		}
		t.Logf("%-32s %6d %10d %10s %8d", f.name, r.tried, r.seen, told, r.healed)
	}
	for _, u := range took {
		t.Logf("after %4.0f s: %5d MiB resident, %4.0f live, %5.0f goroutines", u.after.Seconds(), u.resident>>20, u.live/(1<<20), u.goroutines)
	}
}
