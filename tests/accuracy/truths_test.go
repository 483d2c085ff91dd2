package main

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCommittedTruthsAreOfThisSimulator(t *testing.T) {
	var f truthFile
	require.NoError(t, json.Unmarshal(committedTruths, &f))
	physics, err := physicsOf()
	require.NoError(t, err)
	require.Equal(t, physics, f.Physics, "runs of another physics are ignored: renew them with -only A7 -truths accuracy/testdata/fleet_truths.json")
	all, err := gateScenarios(options{}, gateSeed, 3)
	require.NoError(t, err)
	cfg := all[2].config(0, 512)
	known, ok := f.Runs[truthKey(cfg, judgedFor)]
	require.True(t, ok, "the key of a scenario is the one that is committed")
	again, err := simulate(cfg, judgedFor)
	require.NoError(t, err)
	assert.Equal(t, known, again)
}

func TestRunsAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "truths.json")
	c, err := newCachedTruths(path)
	require.NoError(t, err)
	s := splitScenario{groups: 3, model: servedModels()[2], traffic: trafficShapes()[0], load: 0.1, seed: 7}
	cfg := s.config(1, splitBudget)
	first, err := c.run(cfg, time.Second)
	require.NoError(t, err)
	again, err := newCachedTruths(path)
	require.NoError(t, err)
	assert.Equal(t, first, again.known.Runs[truthKey(cfg, time.Second)])
	assert.NotEqual(t, truthKey(cfg, time.Second), truthKey(cfg, 2*time.Second))
	again.known = truthFile{Physics: "another", Runs: map[string]fleetTruth{}}
	require.NoError(t, again.take(committedTruths))
	assert.Empty(t, again.known.Runs)
}
