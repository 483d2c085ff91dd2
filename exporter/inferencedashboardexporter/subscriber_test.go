package inferencedashboardexporter

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// taken is the message that waits for a page.
func taken(t *testing.T, h *hub, s *subscriber) []byte {
	t.Helper()
	require.Len(t, s.ready, 1, "something waits")
	frame, err := h.next(context.Background(), s)
	require.NoError(t, err)
	return frame
}

// heardOf reads a message of a stream: its event, and the KV usage of each worker in it.
func heardOf(t *testing.T, events *bufio.Scanner) (name string, kv map[string]float64) {
	t.Helper()
	name, data := readEvent(t, events)
	require.NotEmpty(t, name)
	workers, _ := data["workers"].([]any)
	kv = map[string]float64{}
	for _, w := range workers {
		w := w.(map[string]any)
		kv[w["id"].(string)], _ = w["load"].(map[string]any)["kv"].(float64)
	}
	return name, kv
}

func scan(frame []byte) *bufio.Scanner { return eventsOf(bytes.NewReader(frame)) }

func eventsOf(r io.Reader) *bufio.Scanner {
	events := bufio.NewScanner(r)
	events.Buffer(nil, 4<<20)
	return events
}

// busy is a snapshot in which the KV usage of every worker is kv.
func busy(workers int, now time.Time, kv float64) *snapshot {
	s := emptySnapshot()
	s.At = now.UnixMilli()
	for i := range workers {
		s.Workers = append(s.Workers, workerView{
			ID: fmt.Sprintf("w%04d", i), Identity: &identity{Instance: fmt.Sprint("engine-", i)}, State: &stateView{State: stateOK},
			Load: &loadView{KV: some(kv)}, Phase: &phaseView{}, TTFT: &latencyView{}, ITL: &latencyView{}, Estimate: &estimateView{},
			Conditions: &conditionsView{},
		})
	}
	return s
}

func TestHubIsBounded(t *testing.T) {
	d, _, _ := filled(t, 1, 1)
	var subs []*subscriber
	for range maxSubscribers {
		s, err := d.hub.subscribe(look{})
		require.NoError(t, err)
		subs = append(subs, s)
	}
	_, err := d.hub.subscribe(look{})
	require.ErrorIs(t, err, errTooManySubscribers)
	assert.Equal(t, 503, get(t, d.api.handler(), "GET", "/api/v1/stream").StatusCode)
	assert.Equal(t, maxSubscribers, d.hub.len())
	for _, s := range subs {
		d.hub.unsubscribe(s, false)
		d.hub.unsubscribe(s, false)
	}
	assert.Zero(t, d.hub.len())
	assert.Empty(t, d.hub.audiences)
}

// A page that does not read for a while is told everything once, as it is then, however much it missed; the others go on message by message.
func TestASlowPageIsToldEverythingAnew(t *testing.T) {
	const workers, updates = maxStreamed - 50, 10
	d, _, now := filled(t, 0, 0)
	publish := func(i int) {
		now = now.Add(time.Second)
		dropped, err := d.hub.publish(busy(workers, now, float64(i)/100), now)
		require.NoError(t, err)
		assert.Zero(t, dropped)
	}
	publish(0)
	slow, err := d.hub.subscribe(look{})
	require.NoError(t, err)
	keeping, err := d.hub.subscribe(look{})
	require.NoError(t, err)
	apart, err := d.hub.subscribe(look{filter: "another look"})
	require.NoError(t, err)
	for _, s := range []*subscriber{slow, keeping, apart} {
		name, kv := heardOf(t, scan(taken(t, d.hub, s)))
		assert.Equal(t, "snapshot", name)
		assert.Len(t, kv, workers)
	}
	all := 0
	for i := 1; i <= updates; i++ {
		publish(i)
		frame := taken(t, d.hub, keeping)
		all += len(frame)
		name, kv := heardOf(t, scan(frame))
		assert.Equal(t, "update", name)
		assert.InDelta(t, float64(i)/100, kv["w0000"], 1e-9)
		for _, s := range []*subscriber{slow, apart} {
			held := 0
			for _, waits := range s.waiting {
				held += len(waits)
			}
			assert.Equal(t, held, s.bytes)
			assert.LessOrEqual(t, held, max(maxBacklog, len(frame)))
		}
	}
	require.Greater(t, all, 2*maxBacklog, "there was more than may wait")
	for _, s := range []*subscriber{slow, apart} {
		name, kv := heardOf(t, scan(taken(t, d.hub, s)))
		assert.Equal(t, "snapshot", name)
		assert.Len(t, kv, workers)
		assert.InDelta(t, float64(updates)/100, kv["w0000"], 1e-9)
		assert.Empty(t, s.ready, "and that is all")
	}
	publish(updates + 1)
	name, kv := heardOf(t, scan(taken(t, d.hub, slow)))
	assert.Equal(t, "update", name, "it goes on from there")
	assert.Len(t, kv, workers)
}

// Messages that are short may wait, and come in order.
func TestShortMessagesWait(t *testing.T) {
	s := &subscriber{ready: make(chan struct{}, 1)}
	s.put(make([]byte, 3*maxBacklog)) // one that is alone may be longer
	frame, behind := s.take()
	assert.Len(t, frame, 3*maxBacklog)
	assert.False(t, behind)
	for i := range 100 {
		s.put([]byte{byte(i)})
	}
	for i := range 100 {
		frame, behind = s.take()
		assert.Equal(t, []byte{byte(i)}, frame)
		assert.False(t, behind)
	}
	s.put([]byte("x"))
	s.put(make([]byte, maxBacklog))
	s.put([]byte("missed too"))
	frame, behind = s.take()
	assert.Nil(t, frame)
	assert.True(t, behind)
	frame, behind = s.take()
	assert.Nil(t, frame)
	assert.False(t, behind)
	assert.Zero(t, s.bytes)
}

func TestHeartbeat(t *testing.T) {
	d, _, now := filled(t, 0, 0)
	s, err := d.hub.subscribe(look{})
	require.NoError(t, err)
	taken(t, d.hub, s)
	for i := range 12 { // a second each, nothing changes
		when := now.Add(time.Duration(i) * time.Second)
		_, err := d.hub.publish(d.board.update(when), when)
		require.NoError(t, err)
	}
	assert.Len(t, s.waiting, 3, "one message per heartbeat")
}

func TestNextEndsWithThePageAndTheHub(t *testing.T) {
	d, _, _ := filled(t, 0, 0)
	s, err := d.hub.subscribe(look{})
	require.NoError(t, err)
	taken(t, d.hub, s)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = d.hub.next(ctx, s)
	require.ErrorIs(t, err, context.Canceled)
	d.hub.close()
	_, err = d.hub.next(context.Background(), s)
	require.ErrorIs(t, err, errClosed)
}

// A page that takes nothing is disconnected, and counted; meanwhile it holds up nobody.
func TestAStuckPageIsDisconnected(t *testing.T) {
	d, _, now := filled(t, 0, 0)
	d.api.patience = 50 * time.Millisecond
	_, err := d.hub.publish(busy(maxStreamed, now, 0), now)
	require.NoError(t, err)
	server := httptest.NewServer(d.api.handler())
	defer server.Close()
	r, err := server.Client().Get(server.URL + "/api/v1/stream")
	require.NoError(t, err)
	defer r.Body.Close() // nothing of it is read
	var dropped int64
	updates := 0
	require.Eventually(t, func() bool {
		updates++
		now = now.Add(time.Second)
		n, err := d.hub.publish(busy(maxStreamed, now, float64(updates%100)/100), now)
		dropped += n
		return err != nil || dropped > 0
	}, 30*time.Second, time.Millisecond)
	assert.EqualValues(t, 1, dropped)
	assert.Zero(t, d.hub.len())
}

// A slow page over a connection gets whole messages only, and the state at the end.
func TestAPageThatPausesCatchesUp(t *testing.T) {
	d, _, now := filled(t, 0, 0)
	publish := func(kv float64) {
		now = now.Add(time.Second)
		_, err := d.hub.publish(busy(maxStreamed, now, kv), now)
		require.NoError(t, err)
	}
	publish(0)
	server := httptest.NewServer(d.api.handler())
	defer server.Close()
	r, err := server.Client().Get(server.URL + "/api/v1/stream")
	require.NoError(t, err)
	defer r.Body.Close()
	const updates = 25
	for i := 1; i <= updates; i++ { // it reads nothing of them yet
		publish(float64(i) / 100)
	}
	events := eventsOf(r.Body)
	for i := 0; ; i++ {
		require.Less(t, i, updates+1, "the last word came")
		_, kv := heardOf(t, events)
		if kv["w0000"] == updates/100.0 { // exact: it is the same division
			assert.Len(t, kv, maxStreamed)
			break
		}
	}
}
