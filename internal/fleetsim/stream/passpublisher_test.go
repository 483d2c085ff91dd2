package stream

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func pass(t *testing.T, conn *zmq4.Conn) map[string]any {
	t.Helper()
	m := receive(t, conn)
	require.Empty(t, m.topic)
	p := decode(t, m.payload).(map[string]any)
	assert.Equal(t, int64(m.sequence), p["counter_id"])
	return p
}

func TestPassesCarryIdentityAndCounter(t *testing.T) {
	p := newPass(t, PassOptions{Worker: "w0", Rank: 1, Dialect: VLLMPasses, Heartbeat: -1})
	sub := subscribe(t, p, "")
	for n := range 3 {
		p.Publish(ForwardPass{WallTime: float64(n)})
	}
	for n := range 3 {
		got := pass(t, sub)
		assert.Equal(t, []any{"w0", int64(1), int64(n), float64(n), "execute_model_cuda"},
			[]any{got["worker_id"], got["dp_rank"], got["counter_id"], got["wall_time"], got["timing_scope"]})
	}
	p.Faults().DropNext(2)
	for range 3 {
		p.Publish(ForwardPass{})
	}
	assert.Equal(t, int64(5), pass(t, sub)["counter_id"], "a gap of two")
	p.Faults().OverflowNext(2)
	for range 3 {
		p.Publish(ForwardPass{})
	}
	assert.Equal(t, int64(6), pass(t, sub)["counter_id"], "no gap: these were never numbered")
	p.Restart()
	sub = subscribe(t, p, "")
	p.Publish(ForwardPass{})
	assert.Equal(t, int64(0), pass(t, sub)["counter_id"])
}

func TestHeartbeatOnlyWhenNothingElseWasSent(t *testing.T) {
	ticks := make(chan time.Time)
	p := newPass(t, PassOptions{Worker: "w", Ticks: ticks})
	sub := subscribe(t, p, "")
	p.Publish(ForwardPass{WallTime: 1})
	ticks <- time.Time{} // clears the step
	ticks <- time.Time{} // a heartbeat
	ticks <- time.Time{} // another
	assert.Equal(t, 1.0, pass(t, sub)["wall_time"])
	for range 2 {
		beat := pass(t, sub)
		assert.Equal(t, 0.0, beat["wall_time"])
		assert.Equal(t, "w", beat["worker_id"])
	}
	p.Publish(ForwardPass{WallTime: 2})
	assert.Equal(t, 2.0, pass(t, sub)["wall_time"])
	assert.Equal(t, uint64(4), p.Stats().Published)
}

func TestSGLangBeatsOnlyWhenToldItIsIdle(t *testing.T) {
	ticks := make(chan time.Time)
	path := filepath.Join(t.TempDir(), "fpm")
	p := newPass(t, PassOptions{Endpoint: "ipc://" + path, Dialect: SGLangPasses, Ticks: ticks})
	assert.Equal(t, "ipc://"+path+".0", p.Endpoint())
	sub := subscribe(t, p, "")
	for range 3 {
		ticks <- time.Time{}
	}
	p.Publish(ForwardPass{WallTime: 1})
	assert.Equal(t, 1.0, pass(t, sub)["wall_time"], "no heartbeat came first")
	p.SetIdle(true)
	ticks <- time.Time{}
	ticks <- time.Time{}
	assert.Equal(t, 0.0, pass(t, sub)["wall_time"])
}

func TestTheTickerBeatsToo(t *testing.T) {
	p := newPass(t, PassOptions{Heartbeat: time.Millisecond})
	sub := subscribe(t, p, "")
	pass(t, sub)
	pass(t, sub)
}
