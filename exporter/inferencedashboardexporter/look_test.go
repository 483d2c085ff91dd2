package inferencedashboardexporter

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// crowd is a dashboard of a large fleet and a small one that is worse off; KV usage of the large one's workers rises with their number.
func crowd(t *testing.T, large, small int) (*dashboard, *snapshot, time.Time) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.MaxWorkers, cfg.WorkerResolution, cfg.WorkerLongResolution = 10_000, time.Minute, time.Hour
	require.NoError(t, cfg.Validate())
	now := at(5)
	d, err := newDashboard(cfg, exportertest.NewNopSettings(metadata.Type), func() time.Time { return now })
	require.NoError(t, err)
	for i := range large + small {
		w := newFakeWorker(fmt.Sprintf("w-%04d", i), at(0))
		w.kv, w.host = float64(i)/float64(large+small), fmt.Sprintf("node-%d", i/8)
		if i >= large {
			w.fleet, w.up = "small", 0
		}
		require.NoError(t, d.consumeMetrics(context.Background(), w.engineBatch(now)))
		if i%8 == 0 {
			md := conditionBatch(w, now, 0.1, 0, 0, 0)
			addGauge(resourceOf(md, map[string]any{signal.AttrHWID: fmt.Sprint("GPU-", i), signal.AttrHostName: w.host}), signal.HWPower, now, 300, nil)
			require.NoError(t, d.consumeMetrics(context.Background(), md))
		}
	}
	return d, d.board.update(now), now
}

func TestAPageIsToldOfEverythingWhereThatIsLittle(t *testing.T) {
	d, s, _ := crowd(t, 20, 4)
	seen := newAudience(look{fleet: "small", filter: "nothing", from: 7}).see(s, d.register)
	assert.Len(t, seen.Workers, 24)
	assert.Len(t, seen.Subjects, 6)
	assert.Equal(t, scopeView{Matching: 24, Most: maxStreamed}, seen.Scope)
	assert.Empty(t, s.Subjects, "what nobody looks at is not rendered")
}

func TestAPageIsToldOfTheWorstOfOneFleet(t *testing.T) {
	const large = maxStreamed + 100
	d, s, now := crowd(t, large, 2)
	id := shortID("llama-70b")
	a := newAudience(look{fleet: "llama-70b"})
	seen := a.see(s, d.register)
	assert.Equal(t, scopeView{FleetID: id, Matching: large, Most: maxStreamed}, seen.Scope)
	require.Len(t, seen.Workers, maxStreamed)
	assert.Len(t, seen.Fleets, 2, "all fleets are told")
	assert.Equal(t, "w-1099", seen.Workers[0].Identity.Instance, "the fullest first")
	assert.Equal(t, "w-0100", seen.Workers[maxStreamed-1].Identity.Instance)
	hosts := map[string]bool{}
	for _, w := range seen.Workers {
		hosts[w.Identity.Host] = true
	}
	for _, x := range seen.Subjects {
		assert.True(t, hosts[x.Host], "%s %s on %s", x.Kind, x.Name, x.Host)
	}
	assert.Greater(t, len(seen.Subjects), 200)

	rest := newAudience(look{fleet: id, from: maxStreamed}).see(s, d.register)
	assert.Len(t, rest.Workers, 100, "the others, page by page")
	assert.Equal(t, "w-0000", rest.Workers[99].Identity.Instance)
	assert.Empty(t, newAudience(look{fleet: id, from: 5 * maxStreamed}).see(s, d.register).Workers)

	found := newAudience(look{fleet: id, filter: "w-0007 vllm"}).see(s, d.register)
	require.Len(t, found.Workers, 1, "the search is in all of them")
	assert.Equal(t, 1, found.Scope.Matching)

	apart := newAudience(look{fleet: id, worker: rest.Workers[99].ID}).see(s, d.register)
	require.Len(t, apart.Workers, maxStreamed+1, "one that was chosen is told as well")
	assert.Equal(t, "w-0000", apart.Workers[maxStreamed].Identity.Instance)

	assert.Equal(t, shortID("small"), newAudience(look{fleet: "no such"}).see(s, d.register).Scope.FleetID, "the one that is worst off")

	of := newAudience(look{fleet: "no such", worker: rest.Workers[99].ID}).see(s, d.register)
	assert.Equal(t, id, of.Scope.FleetID, "the fleet of the worker")
	assert.Equal(t, "w-0000", of.Workers[maxStreamed].Identity.Instance)

	// The order stands for a while: whoever is at the edge does not come and go.
	w := newFakeWorker("w-0000", at(0))
	w.kv, w.host = 1, "node-0"
	later := now.Add(5 * time.Second)
	require.NoError(t, d.consumeMetrics(context.Background(), w.engineBatch(later)))
	again := a.see(d.board.update(later), d.register)
	assert.Equal(t, "w-1099", again.Workers[0].Identity.Instance)
	ranked := a.see(d.board.update(now.Add(rankedFor+time.Second)), d.register)
	assert.NotEqual(t, seen.Workers[maxStreamed-1].ID, ranked.Workers[maxStreamed-1].ID)
}

func TestPagesThatLookAtTheSameShareTheirUpdates(t *testing.T) {
	d, s, now := crowd(t, maxStreamed+1, 1)
	_, err := d.hub.publish(s, now)
	require.NoError(t, err)
	one, err := d.hub.subscribe(look{fleet: "small"})
	require.NoError(t, err)
	two, err := d.hub.subscribe(look{fleet: "small"})
	require.NoError(t, err)
	_, err = d.hub.subscribe(look{fleet: "llama-70b"})
	require.NoError(t, err)
	assert.Len(t, d.hub.audiences, 2)
	assert.Equal(t, <-one, <-two)
	d.hub.unsubscribe(one)
	d.hub.unsubscribe(two)
	assert.Len(t, d.hub.audiences, 1)
	assert.Equal(t, 1, d.hub.len())
}

func TestWorkersKeepCoarserHistoriesThanFleets(t *testing.T) {
	d, s, _ := crowd(t, 4, 1)
	w := d.tracker.byID(s.Workers[0].ID)
	assert.EqualValues(t, 60, w.history.fine.slots)
	assert.EqualValues(t, 24, w.history.long.slots)
	assert.EqualValues(t, 720, d.board.histories[shortID("llama-70b")].fine.slots)
	cfg := createDefaultConfig().(*Config)
	assert.EqualValues(t, 60, d.board.newHistory(maxCells/(cfg.fine().slots+cfg.long().slots)).fine.slots, "of fleets beyond number as well")
}

func TestAnOrderOfTheWorstEndsWhenTheClockIsSetBack(t *testing.T) {
	worker := func(id string, trouble float64) workerView {
		return workerView{ID: id, State: &stateView{State: stateOK}, Load: &loadView{Trouble: some(trouble)}}
	}
	order := func(ws []workerView) (ids string) {
		for _, w := range ws {
			ids += w.ID
		}
		return ids
	}
	a := newAudience(look{})
	then := at(0)
	for _, step := range []struct {
		at   time.Time
		b    float64 // its trouble
		want string
	}{{then, 1, "ab"}, {then.Add(rankedFor), 3, "ab"}, {then.Add(-time.Hour), 3, "ba"}} {
		ws := []workerView{worker("a", 2), worker("b", step.b)}
		a.rank(ws, step.at.UnixMilli())
		assert.Equal(t, step.want, order(ws), step.at)
	}
}
