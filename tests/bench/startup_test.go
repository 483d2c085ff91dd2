package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStartIsSeen: the demo that is started says something, preliminary as it is, and ends.
func TestStartIsSeen(t *testing.T) {
	d := &demo{interval: time.Second, source: fromCounters}
	defer func() { assert.NoError(t, d.close()) }()
	require.NoError(t, d.start(options{fleetsim: "../../bin/fleetsim"}, built))
	d.watch(time.Minute, func() bool { return d.first > 0 })
	assert.Positive(t, d.page)
	assert.GreaterOrEqual(t, d.first, d.page)
	assert.Zero(t, d.high, "not before minutes of data")
	assert.Equal(t, []string{"not seen", "1.5"}, []string{moment(0), moment(1500 * time.Millisecond)})
}

// TestReportOfAnAgent: both bars count, and that of the larger load is another.
func TestReportOfAnAgent(t *testing.T) {
	run := func(cpu time.Duration, mib int64) []measured {
		return []measured{{took: time.Second, cpu: cpu, rss: mib << 20, done: 10_000}}
	}
	for _, tt := range []struct {
		blocks int
		runs   []measured
		met    bool
	}{
		{10_000, run(99*time.Millisecond, 199), true},
		{10_000, run(101*time.Millisecond, 199), false},
		{10_000, run(99*time.Millisecond, 201), false},
		{50_000, run(149*time.Millisecond, 199), true},
		{50_000, run(151*time.Millisecond, 199), false},
	} {
		assert.Equal(t, tt.met, reportAgent(t.Output(), tt.blocks, tt.runs), "%d %v", tt.blocks, tt.runs)
	}
}

func TestOwner(t *testing.T) {
	for pkg, want := range map[string]string{
		ours + "receiver/nixlreceiver/internal/link": ours + "receiver/nixlreceiver",
		ours + "internal/serving":                    ours + "internal/serving",
		"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/kafkareceiver/internal/x": "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/kafkareceiver",
		"github.com/prometheus/prometheus/storage/remote":                                             "github.com/prometheus/prometheus",
		"k8s.io/api/core/v1": "k8s.io/api", "runtime/internal/sys": "Go", "main": "Go", "": "Go",
	} {
		assert.Equal(t, want, owner(pkg), pkg)
	}
}

func TestNumbers(t *testing.T) {
	all, err := numbers("10000,50000")
	require.NoError(t, err)
	assert.Equal(t, []int{10_000, 50_000}, all)
	for _, text := range []string{"", "1,", "0", "-1", "many"} {
		_, err := numbers(text)
		assert.ErrorContains(t, err, text)
	}
}
