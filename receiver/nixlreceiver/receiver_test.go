package nixlreceiver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/metadata"
)

// handClock is moved by the test. Its loops are told apart by their intervals.
type handClock struct {
	mu    sync.Mutex
	now   time.Time
	ticks map[time.Duration]chan time.Time
}

func newHandClock() *handClock {
	return &handClock{now: time.Unix(1_800_000_000, 0), ticks: make(map[time.Duration]chan time.Time)}
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) Monotonic() int64 { return c.Now().UnixNano() }

func (c *handClock) Ticks(d time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ticks[d] = make(chan time.Time)
	return c.ticks[d], func() {}
}

// tick lets one loop run twice, and returns when the first time is done: the loop takes a tick only between two runs.
func (c *handClock) tick(interval time.Duration) {
	c.mu.Lock()
	now, ticks := c.now, c.ticks[interval]
	c.mu.Unlock()
	ticks <- now
	ticks <- now
}

func (c *handClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func live(t *testing.T, change func(*Config)) (*nixlReceiver, *handClock, *consumertest.MetricsSink, string) {
	cfg := createDefaultConfig().(*Config)
	dir := filepath.Join(t.TempDir(), "nixl")
	cfg.Sources.Buffer.Directories = []string{dir}
	cfg.Sources.Buffer.Mode = ModeConsume
	cfg.Sources.Links.Enabled = false
	if change != nil {
		change(cfg)
	}
	clock, sink := newHandClock(), new(consumertest.MetricsSink)
	r, err := newReceiver(receivertest.NewNopSettings(metadata.Type), cfg, sink, clock)
	require.NoError(t, err)
	return r, clock, sink, dir
}

// TestTheLoopsWorkTogether begins before there is a directory, and ends with events that were never collected.
func TestTheLoopsWorkTogether(t *testing.T) {
	r, clock, sink, dir := live(t, nil)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, os.Mkdir(dir, 0o755))
	w := newWriter(t, dir, "a", 64)
	w.transfer(true)
	clock.pass(5 * time.Second)
	clock.tick(surveyTick)
	clock.tick(r.cfg.PollInterval)
	assert.Equal(t, uint64(4), *w.word(8))
	clock.tick(r.cfg.CollectionInterval)
	require.NotEmpty(t, sink.AllMetrics())
	last := func() points {
		all := sink.AllMetrics()
		return flatten(all[len(all)-1])
	}
	assert.Equal(t, 1.0, last().value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"))
	w.transfer(true)
	clock.tick(r.cfg.PollInterval)
	w.transfer(true)
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Equal(t, 3.0, last().value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"),
		"what was taken out is told, even at the end")
}

func TestANewFileIsFoundByInotify(t *testing.T) {
	r, clock, _, dir := live(t, nil)
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	newWriter(t, dir, "a", 64)
	require.Eventually(t, r.changed.Load, 10*time.Second, time.Millisecond)
	clock.tick(surveyTick)
	r.fleet.mu.Lock()
	assert.Len(t, r.fleet.agents, 1, "though no rescan is due")
	r.fleet.mu.Unlock()
	r.watcher.Errors <- fsnotify.ErrEventOverflow
	require.Eventually(t, r.changed.Load, 10*time.Second, time.Millisecond, "an overflow may hide a file")
	require.NoError(t, r.Shutdown(t.Context()))
}

func TestARefusingPipelineLosesNothing(t *testing.T) {
	r, clock, sink, dir := live(t, nil)
	require.NoError(t, os.Mkdir(dir, 0o755))
	refuse := new(atomic.Bool)
	refuse.Store(true)
	r.next = refusing{sink, refuse}
	w := newWriter(t, dir, "a", 64)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	for range 5 {
		w.transfer(true)
		clock.tick(r.cfg.PollInterval)
		clock.tick(r.cfg.CollectionInterval)
	}
	assert.Empty(t, sink.AllMetrics())
	refuse.Store(false)
	require.NoError(t, r.Shutdown(t.Context()))
	got := flatten(sink.AllMetrics()[0])
	assert.Equal(t, 5.0, got.value(t, signal.NIXLTransferCount, signal.AttrNetDirection, "transmit"))
}

type refusing struct {
	*consumertest.MetricsSink
	refuse *atomic.Bool
}

func (r refusing) ConsumeMetrics(ctx context.Context, m pmetric.Metrics) error {
	if r.refuse.Load() {
		return errors.New("full")
	}
	return r.MetricsSink.ConsumeMetrics(ctx, m)
}

func TestShutdownWithoutStartAndTwice(t *testing.T) {
	r, _, _, _ := live(t, nil)
	require.NoError(t, r.Shutdown(t.Context()))
	r, _, _, _ = live(t, nil)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, r.Shutdown(t.Context()))
	require.NoError(t, r.Shutdown(t.Context()))
}

func TestAStorageThatIsNoneIsAnError(t *testing.T) {
	id := component.MustNewID("file_storage")
	r, _, _, _ := live(t, func(c *Config) { c.Storage = &id })
	assert.ErrorContains(t, r.Start(t.Context(), componenttest.NewNopHost()), "storage must name an extension (got file_storage)")
	require.NoError(t, r.Shutdown(t.Context()))
}

// statusHost keeps what is reported.
type statusHost struct {
	component.Host
	mu  sync.Mutex
	all []componentstatus.Status
}

func (h *statusHost) Report(e *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, e.Status())
}

// TestADirectoryThatCannotBeReadIsTheStatus puts a file in the place of the directory.
func TestADirectoryThatCannotBeReadIsTheStatus(t *testing.T) {
	r, clock, _, dir := live(t, nil)
	require.NoError(t, os.WriteFile(dir, nil, 0o600))
	host := &statusHost{Host: componenttest.NewNopHost()}
	require.NoError(t, r.Start(t.Context(), host))
	for range 3 {
		clock.pass(5 * time.Second)
		clock.tick(surveyTick)
	}
	require.NoError(t, os.Remove(dir))
	clock.pass(5 * time.Second)
	clock.tick(surveyTick)
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, host.all, "on change only")
}
