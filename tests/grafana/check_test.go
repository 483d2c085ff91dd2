package grafana

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	shipped "github.com/otelcol-inference/otelcol-inference/internal/grafana"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/board"
	"github.com/otelcol-inference/otelcol-inference/internal/grafana/promql"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Bounds of the waits: estimates need some windows before they are told, faults some scrapes.
const (
	untilFilled = 2 * time.Minute
	untilAgreed = 40 * time.Second
	untilFaults = 40 * time.Second
	pollEvery   = 3 * time.Second
)

// question is a query that must have an answer on every road.
type question struct {
	where, expression string
	quiet             string // why a healthy fleet has no answer
}

// unstaged are questions that no fault here answers. promtool's tests alone show that the alerts fire; a panel among them asks for a
// metric that one of these alerts is about.
func unstaged() map[string]string {
	return map[string]string{
		"alert InferenceCollectorAbsent":                "the check needs its collectors",
		"alert InferenceWorkerStuck":                    "the simulated engine does not hang",
		"alert InferenceTransfersOverTCP":               "simulated transfers move no bytes over a link of the host",
		"alert InferenceTopologyRecommended":            "a recommendation takes longer than the check",
		"alert InferenceAdviceUnreliable":               "nobody follows advice here",
		"overview: How often predictions came true":     "as InferenceAdviceUnreliable",
		"alert InferenceSplitWouldPay":                  "the aggregated fleet would not gain",
		"disaggregation: Goodput split over aggregated": "as InferenceSplitWouldPay",
	}
}

var variable = regexp.MustCompile(`\$(fleet|model|worker|host)\b`)

// asked is an expression as Grafana sends it when all is chosen and the panel is fine.
func asked(expression string) string {
	return variable.ReplaceAllString(strings.ReplaceAll(expression, shipped.Window, "15s"), ".*")
}

func questions(t *testing.T) []question {
	t.Helper()
	var all []question
	left := unstaged()
	seen := map[string]bool{}
	add := func(q question) {
		if left[q.where] == "" {
			all = append(all, q)
		} else {
			assert.NotEmpty(t, q.quiet, "%s: what a healthy fleet answers needs no fault", q.where)
			seen[q.where] = true
		}
	}
	dashboards, err := shipped.Dashboards()
	require.NoError(t, err)
	for _, d := range dashboards {
		for _, row := range d.Rows {
			for _, p := range row.Panels {
				for _, q := range p.Queries {
					add(question{d.File + ": " + p.Title, asked(q.Expr), q.Quiet})
				}
			}
		}
	}
	groups, err := shipped.Alerts()
	require.NoError(t, err)
	for _, g := range groups {
		for _, a := range g.Alerts {
			add(question{"alert " + a.Name, a.Value, a.Quiet})
		}
	}
	assert.Len(t, seen, len(left), "unstaged names what is not there")
	return all
}

// TestEveryQueryHasDataOnEveryRoad is the whole check: a healthy fleet answers everything that is not quiet, faults answer the rest,
// the roads agree in names and labels, and alerts fire.
func TestEveryQueryHasDataOnEveryRoad(t *testing.T) {
	t.Parallel()
	r := startRig(t)
	all := questions(t)
	var healthy []question
	for _, q := range all {
		if q.quiet == "" {
			healthy = append(healthy, q)
		}
	}
	t.Logf("%d queries, %d of them on a healthy fleet", len(all), len(healthy))
	r.answered(t, healthy, untilFilled)
	r.variables(t, dashboardVariables(t))
	r.roadsAgree(t)
	r.writesEverything(t)

	r.fault(t, "aggregated", `{"xid": {"device": 0, "xid": 79}}`)
	r.fault(t, "aggregated", `{"ecc": {"device": 1, "corrected": 4, "uncorrected": 2}}`)
	r.fault(t, "aggregated", `{"load": {"factor": 4}}`)
	r.foreignFile(t, "second") // a counter that begins with the first has risen with the second
	r.fault(t, "disaggregated", `{"agent_death": {"worker": 0}}`)
	r.fault(t, "disaggregated", `{"scrape_status": {"worker": 1, "status": 500}}`)
	r.answered(t, all, untilFaults)
	r.alerts(t)
}

// answered waits until every question has numbers on every road, and names those that have none.
func (r *rig) answered(t *testing.T, open []question, within time.Duration) {
	t.Helper()
	type asking struct {
		question
		road road
	}
	var left []asking
	for _, each := range r.roads {
		for _, q := range open {
			left = append(left, asking{q, each})
		}
	}
	assert.Eventually(t, func() bool {
		var still []asking
		for _, a := range left {
			numbers, err := a.road.query(a.expression)
			require.NoError(t, err, a.where)
			if len(numbers) == 0 {
				still = append(still, a)
			}
		}
		left = still
		return len(left) == 0
	}, within, pollEvery)
	for _, a := range left {
		t.Errorf("%s by %s: no data: %s", a.where, a.road.name, a.expression)
	}
}

func dashboardVariables(t *testing.T) []board.Variable {
	t.Helper()
	all, err := shipped.Dashboards()
	require.NoError(t, err)
	return all[0].Variables
}

// variables asks for the choices of every variable, as Grafana does.
func (r *rig) variables(t *testing.T, choices []board.Variable) {
	t.Helper()
	parts := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	for _, v := range choices {
		m := parts.FindStringSubmatch(v.Query)
		require.NotNil(t, m, v.Query)
		for _, each := range r.roads {
			var values []string
			require.NoError(t, each.ask("/api/v1/label/"+m[2]+"/values", url.Values{"match[]": {asked(m[1])}}, &values))
			assert.NotEmpty(t, values, "%s by %s: %s", v.Name, each.name, v.Query)
		}
	}
}

// roadsAgree compares the series of every metric of the vocabulary, label by label. Series come and go, and one that lives for a
// moment may fall between two scrapes: one that a road saw several times, the other must have seen as well. The page keeps a series that
// ended for five minutes.
func (r *rig) roadsAgree(t *testing.T) {
	t.Helper()
	const several = 6
	names := promql.NewVocabulary()
	compared := 0
	missing := func() (all []string) {
		compared = 0
		for _, m := range signal.All() {
			name := names.Name(m.Name)
			if m.Instrument == signal.Histogram {
				name += "_bucket"
			}
			seen := [2]map[string]int{r.roads[0].samples(t, name), r.roads[1].samples(t, name)}
			for i, here := range seen {
				compared += len(here)
				for series, count := range here {
					if count >= several && seen[1-i][series] == 0 {
						all = append(all, fmt.Sprintf("%s by %s: %s", name, r.roads[1-i].name, series))
					}
				}
			}
		}
		return all
	}
	var differ []string
	assert.Eventually(t, func() bool {
		differ = missing()
		return len(differ) == 0
	}, untilAgreed, pollEvery, "series of the roads differ")
	if len(differ) > 20 {
		differ = differ[:20]
	}
	assert.Empty(t, differ, "series that a road lacks")
	assert.Greater(t, compared, 1000, "there was something to compare")
	require.NoError(t, names.Err())
}

// samples counts those of each series of a metric over all of the check. job and instance are the road's own and left out.
func (r road) samples(t *testing.T, name string) map[string]int {
	t.Helper()
	series, err := r.query("count_over_time(" + name + "[10m])")
	require.NoError(t, err)
	counts := map[string]int{}
	for _, s := range series {
		delete(s.Metric, "job")
		delete(s.Metric, "instance")
		// 1.048576e+06 on the page, 1048576 in remote write; queries read both as numbers.
		if bound, err := strconv.ParseFloat(s.Metric["le"], 64); err == nil {
			s.Metric["le"] = fmt.Sprint(bound)
		}
		count, err := strconv.Atoi(fmt.Sprint(s.Value[1]))
		require.NoError(t, err)
		counts[fmt.Sprint(s.Metric)] = count
	}
	return counts
}

// writesEverything sees that the backend refused nothing of what was written, such as samples out of order.
func (r *rig) writesEverything(t *testing.T) {
	t.Helper()
	refused, err := r.roads[0].query(promql.SelfSendFailed + `{exporter="prometheus_remote_write"} > 0`)
	require.NoError(t, err)
	assert.Empty(t, refused)
}

// fault makes something go wrong in a fleet.
func (r *rig) fault(t *testing.T, fleet, body string) {
	t.Helper()
	response, err := http.Post(r.control[fleet]+"/faults", "application/json", strings.NewReader(body))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Less(t, response.StatusCode, 300, "%s: %s", body, response.Status)
}

// foreignFile leaves a file that is no telemetry where agents leave theirs.
func (r *rig) foreignFile(t *testing.T, name string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "nixl", name), bytes.Repeat([]byte("no ring\n"), 4096), 0o600))
}

// alerts sees that the rules are evaluated without errors and that those fire, or wait for their time, that the faults are for.
func (r *rig) alerts(t *testing.T) {
	t.Helper()
	for _, each := range r.roads {
		var rules struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError, State string }
			}
		}
		raised := func() []string {
			var names []string
			for _, g := range rules.Groups {
				for _, rule := range g.Rules {
					if rule.State != "inactive" {
						names = append(names, rule.Name)
					}
				}
			}
			return names
		}
		want := []string{
			"InferenceWorkerDown", "InferenceGPUFailed", "InferenceGPUXID", "InferenceGPUUncorrectedErrors", "InferenceNIXLAgentDead",
			"InferenceCollectorExportFails", "InferenceCollectorMemoryLimited", "InferenceWorkersNotAnalysed", "InferenceTransferFailures",
			"InferenceCollectorCannotQueue", "InferenceEstimatesLost", "InferenceFleetEstimatesLost", "InferenceFleetsNotAnalysed",
			"InferenceNIXLFilesRejected", "InferenceAdviceUrgent",
		}
		assert.Eventually(t, func() bool {
			require.NoError(t, each.ask("/api/v1/rules", nil, &rules))
			got := raised()
			for _, name := range want {
				if !slices.Contains(got, name) {
					return false
				}
			}
			return true
		}, untilFaults, pollEvery, "alerts that the faults are for")
		t.Logf("raised by %s: %s", each.name, strings.Join(raised(), ", "))
		assert.Subset(t, raised(), want, each.name)
		for _, g := range rules.Groups {
			for _, rule := range g.Rules {
				assert.Equal(t, "ok", rule.Health, "%s by %s: %s", rule.Name, each.name, rule.LastError)
			}
		}
	}
}
