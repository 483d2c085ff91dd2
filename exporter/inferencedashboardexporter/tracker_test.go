package inferencedashboardexporter

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func TestTrackerIsBounded(t *testing.T) {
	tr := newTestTracker(2)
	var total tally
	for i := range 5 {
		got := tr.observe(newFakeWorker("w"+strconv.Itoa(i), at(0)).engineBatch(at(1)), at(1))
		total[rejectFull] += got[rejectFull]
	}
	assert.Equal(t, 2, tr.len())
	assert.Equal(t, int64(3*9), total[rejectFull], "all points of the refused ones are counted")
	got := tr.observe(newFakeWorker("w0", at(0)).engineBatch(at(2)), at(2))
	assert.Equal(t, tally{}, got, "known ones keep their place")

	assert.Zero(t, tr.evict(at(2).Add(evictAfter-time.Second)))
	assert.Equal(t, int64(1), tr.evict(at(1).Add(evictAfter+time.Millisecond)))
	tr.observe(newFakeWorker("w9", at(0)).engineBatch(at(3)), at(3))
	assert.Equal(t, 2, tr.len(), "an evicted one makes room")
}

func TestTrackerAdmitsEnginesOnly(t *testing.T) {
	tr := newTestTracker(10)
	foreign := pmetric.NewMetrics()
	ms := (&fakeWorker{instance: "node-exporter:9100"}).resource(foreign)
	addGauge(ms, signal.Up, at(0), 1, nil)
	addGauge(ms, "hw.power", at(0), 1, nil)
	assert.Equal(t, tally{}, tr.observe(foreign, at(0)))
	assert.Zero(t, tr.len(), "up alone is any scraped target")

	front := pmetric.NewMetrics()
	ms = (&fakeWorker{instance: "engine:8000", fleet: "f"}).resource(front)
	addGauge(ms, signal.Running, at(0), 1, nil)
	tr.observe(front, at(0))
	assert.Zero(t, tr.len(), "a resource that names no engine is the server in front of several")

	unreached := pmetric.NewMetrics()
	addGauge((&fakeWorker{instance: "engine:8000", host: "node-1"}).resource(unreached), signal.Up, at(0), 0, nil)
	unreached.ResourceMetrics().At(0).ScopeMetrics().At(0).Scope().SetName(engineReceiver)
	tr.observe(unreached, at(0))
	require.Equal(t, 1, tr.len(), "an endpoint that never answered")
	assert.Equal(t, stateDown, only(tr).state(at(1)).State)
	tr.observe(newFakeWorker("engine:8000", at(0)).engineBatch(at(5)), at(5))
	require.Equal(t, 1, tr.len(), "the worker that is found there takes its place")
	assert.Equal(t, stateOK, only(tr).state(at(6)).State)

	nameless := newFakeWorker("", at(0))
	got := tr.observe(nameless.engineBatch(at(0)), at(0))
	assert.Equal(t, int64(9), got[rejectNoIdentity])
	endless := newFakeWorker(strings.Repeat("x", maxLabel+1), at(0))
	got = tr.observe(endless.engineBatch(at(0)), at(0))
	assert.Equal(t, int64(9), got[rejectNoIdentity])
}

func TestTrackerFollowsAWorkerThatLearnsItsModel(t *testing.T) {
	tr := newTestTracker(10)
	f := newFakeWorker("a:1", at(0))
	f.fleet, f.model = "", ""
	tr.observe(f.engineBatch(at(0)), at(0))
	f.model = "llama"
	tr.observe(f.engineBatch(at(5)), at(5))
	f.role = "prefill"
	tr.observe(f.engineBatch(at(10)), at(10))
	require.Equal(t, 1, tr.len())
	other := newFakeWorker("a:1", at(0))
	other.fleet, other.model = "", "mistral"
	tr.observe(other.engineBatch(at(10)), at(10))
	require.Equal(t, 2, tr.len(), "one server may serve two models")
	tr.mu.Lock()
	delete(tr.workers, workerKey{"node-1", "a:1", "mistral"})
	tr.mu.Unlock()
	assert.Equal(t, "llama", only(tr).identity.Fleet, "without a fleet name the model stands for it")
	assert.Equal(t, "prefill", only(tr).identity.Role)
}

func TestHostileLabels(t *testing.T) {
	tr := newTestTracker(10)
	f := newFakeWorker("<img src=x onerror=alert(1)>"+strings.Repeat("A", 3972), at(0))
	f.host = "\"'><script>alert(1)</script>\x00\n\r\u2028"
	f.model = strings.Repeat("é", maxLabel/2)
	f.engine = "\xff\xfe broken"
	f.fleet = "event: update\ndata: {}\n\n"
	tr.observe(f.engineBatch(at(0)), at(0))
	id := only(tr).identity
	assert.Len(t, id.Instance, 4000)
	assert.LessOrEqual(t, len(id.Model), maxLabel)
	assert.True(t, utf8.ValidString(id.Model))
	assert.True(t, utf8.ValidString(id.Engine))

	b := newBoard(tr, newRegister(10), newAdvisory(), func(int) *history { return tr.newHistory() })
	frame, err := event("update", changes(&snapshot{}, b.update(at(1))))
	require.NoError(t, err)
	lines := strings.Split(string(frame), "\n")
	require.Len(t, lines, 4, "labels cannot add a line to the stream")
	assert.Equal(t, "event: update", lines[0])
	assert.NotContains(t, lines[1], "<")
	var m message
	assert.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(lines[1], "data: ")), &struct {
		At *int64 `json:"at"`
	}{&m.At}))
}

func TestWorkerIDsAreSafeAndDistinct(t *testing.T) {
	a, b := workerKey{"h", "x", ""}.id(), workerKey{"hx", "", ""}.id()
	assert.NotEqual(t, a, b)
	assert.Regexp(t, "^[0-9a-f]{16}$", a)
}
