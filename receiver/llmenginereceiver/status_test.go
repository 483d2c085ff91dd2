package llmenginereceiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver/internal/metadata"
)

// now is the last status that was reported; StatusNone when there was none.
func (h *statusHost) now() (componentstatus.Status, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) == 0 {
		return componentstatus.StatusNone, nil
	}
	return h.events[len(h.events)-1], h.last
}

// TestReceiversUnderOneHostShareItsStatus, as those that receiver_creator starts: that one is well does not hide another's error, and one
// that ends takes its own error along and no other's.
func TestReceiversUnderOneHostShareItsStatus(t *testing.T) {
	const bad, ok = componentstatus.StatusRecoverableError, componentstatus.StatusOK
	common, c, host := newShared(), newHandClock(), &statusHost{Host: componenttest.NewNopHost()}
	elsewhere := &statusHost{Host: componenttest.NewNopHost()}
	run := func(under *statusHost) (*engine, *engineReceiver) {
		e, cfg := newEngine(t), createDefaultConfig().(*Config)
		cfg.ClientConfig.Endpoint, cfg.ClientConfig.Timeout, cfg.Scrape.ProcPath = e.URL, patience, ""
		cfg.Scrape.CollectionInterval = patience
		e.metrics.Store(failing())
		return e, startUnder(t, under, cfg, consumertest.NewNop(), c, common)
	}
	reported := func(under *statusHost, want componentstatus.Status, text string) {
		t.Helper()
		require.Eventually(t, func() bool {
			c.tick(time.Second)
			got, err := under.now()
			return got == want && (text == "" || err != nil && assert.ObjectsAreEqual(text, err.Error()[:min(len(text), len(err.Error()))]))
		}, patience, time.Millisecond, text)
	}
	a, first := run(host)
	b, second := run(host)
	_, other := run(elsewhere)
	reported(host, bad, "2 of 2 endpoints cannot be scraped")
	reported(elsewhere, bad, "1 of 1 endpoints cannot be scraped")

	a.metrics.Store(answer(healthyPage))
	reported(host, bad, "1 of 2 endpoints cannot be scraped; the last change: "+instance(a)+" answers again")
	require.NoError(t, first.Shutdown(context.Background()))
	d, third := run(host)
	reported(host, bad, "2 of 2 endpoints")
	b.metrics.Store(answer(healthyPage))
	reported(host, bad, "1 of 2 endpoints")
	require.NoError(t, third.Shutdown(context.Background()))
	reported(host, ok, "")
	d.metrics.Store(answer(healthyPage))
	require.NoError(t, second.Shutdown(context.Background()))
	reported(elsewhere, bad, "1 of 1")
	require.NoError(t, other.Shutdown(context.Background()))
	assert.Empty(t, common.statuses.byHost, "nobody is left")
}

// TestStatusOfMany: whatever the order in which receivers change at once, the last report is of how they are in the end.
func TestStatusOfMany(t *testing.T) {
	const receivers, changes = 8, 100
	host := &statusHost{Host: componenttest.NewNopHost()}
	common := newStatuses()
	var wait sync.WaitGroup
	for i := range receivers {
		one := common.open(host)
		one.enter(standings{endpoints: 1, streams: 1})
		wait.Go(func() {
			for range changes {
				one.change(standings{endpoints: 1}, errors.New("down"))
				one.change(standings{streams: 1}, errors.New("down"))
				one.change(standings{endpoints: -1}, errors.New("up"))
				one.change(standings{streams: -1}, errors.New("up"))
			}
			if i == 0 {
				one.change(standings{streams: 1}, errors.New("the last one"))
				return
			}
			one.leave(standings{endpoints: 1, streams: 1}, standings{})
			one.close()
		})
	}
	wait.Wait()
	got, err := host.now()
	assert.Equal(t, componentstatus.StatusRecoverableError, got)
	require.Error(t, err)
	assert.Regexp(t, fmt.Sprintf("^all endpoints answer; 1 of [1-%d] streams are in trouble", receivers), err.Error())
	one := common.byHost[host]
	assert.Equal(t, standings{endpoints: 1, streams: 1}, one.sizes)
	assert.Equal(t, standings{streams: 1}, one.ill)
}

// bare is a host that cannot be the key of a map.
type bare struct {
	component.Host
	_ []int
}

func TestAHostThatCannotBeComparedHasAStatusForEachReceiver(t *testing.T) {
	common, host := newStatuses(), bare{Host: componenttest.NewNopHost()}
	one, other := common.open(host), common.open(host)
	assert.NotSame(t, one, other)
	one.close()
	other.close()
}

// TestReceiversShareTheirTables: what is known of engines is there once for all receivers that receiver_creator starts.
func TestReceiversShareTheirTables(t *testing.T) {
	common := newShared()
	made := func(preset signal.Preset) *engineReceiver {
		cfg := createDefaultConfig().(*Config)
		cfg.Scrape.Preset = string(preset)
		r, err := newReceiver(receivertest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop(), newHandClock(), common)
		require.NoError(t, err)
		return r
	}
	a, b, c := made(signal.PresetDefault), made(signal.PresetDefault), made(signal.PresetMinimal)
	assert.Same(t, a.dialects, b.dialects)
	assert.Same(t, a.vocabulary, b.vocabulary)
	assert.Same(t, a.dialects, c.dialects)
	assert.NotSame(t, a.vocabulary, c.vocabulary)
}
