package stream

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/go-zeromq/zmq4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSubscribersGetEveryBatchInOrder(t *testing.T) {
	p := newKV(t, KVOptions{Topic: "kv@pod@model", Rank: 2})
	sub := subscribe(t, p, "kv@")
	other := subscribe(t, p, "")
	publishAll(p, 0, 50)
	for n := range uint64(50) {
		got := receive(t, sub)
		assert.Equal(t, message{"kv@pod@model", n, AppendKVBatch(nil, KVBatch{Time: float64(n), Rank: ptr(2)}, Wire{})}, got)
		assert.Equal(t, got, receive(t, other))
	}
	assert.Equal(t, Stats{Published: 50}, p.Stats())
}

func TestOnlyTheTopicsAskedFor(t *testing.T) {
	p := newKV(t, KVOptions{Topic: "kv"})
	wrong := subscribe(t, p, "load")
	right := subscribe(t, p, "k")
	p.Publish(batchOf(0))
	assert.Equal(t, uint64(0), receive(t, right).sequence)
	require.NoError(t, wrong.SendMsg(zmq4.NewMsg([]byte("\x01kv"))))
	require.NoError(t, wrong.SendMsg(zmq4.NewMsg([]byte("\x00load"))))
	require.NoError(t, right.SendMsg(zmq4.NewMsg([]byte("\x00k"))))
	require.Eventually(t, func() bool { return p.Subscribers() == 1 && p.core.pub.wanted("kv") == 1 }, patience, interval)
	p.Publish(batchOf(1))
	assert.Equal(t, uint64(1), receive(t, wrong).sequence, "the first message was not for this topic")
}

// wanted is the number of subscribers to a topic.
func (p *pub) wanted(topic string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for s := range p.subs {
		if s.wants(topic) {
			n++
		}
	}
	return n
}

func TestCloseDeliversWhatIsQueued(t *testing.T) {
	p := newKV(t, KVOptions{})
	sub := subscribe(t, p, "")
	publishAll(p, 0, 200)
	require.NoError(t, p.Close())
	assert.Len(t, sequences(t, sub, 200), 200)
	_, err := sub.RecvMsg()
	require.Error(t, err)
	p.Publish(batchOf(0))
	assert.Equal(t, uint64(200), p.Stats().Published, "nothing is published after Close")
	require.EqualError(t, p.Close(), "already closed")
}

func TestFaultsOfDelivery(t *testing.T) {
	p := newKV(t, KVOptions{ReplayEndpoint: loopback})
	sub := subscribe(t, p, "")
	f := p.Faults()
	f.OverflowNext(2)
	f.LoseNext(1)
	f.DropNext(2)
	f.GarbageNext(1)
	f.DuplicateNext(1)
	publishAll(p, 0, 8)
	garbage := receive(t, sub)
	assert.Equal(t, uint64(3), garbage.sequence, "overflow takes no number; a lost and two dropped messages do")
	assert.Equal(t, byte(0xc1), garbage.payload[0])
	assert.Equal(t, []uint64{4, 4, 5}, sequences(t, sub, 3))
	assert.Equal(t, []uint64{1, 2, 3, 4, 5}, numbers(replay(t, p, 0, false)), "what was lost is not buffered")
	stats := p.Stats()
	assert.Equal(t, Stats{
		Published: 8, Overflowed: 2, Lost: 1, Dropped: 2, Garbled: 1, Duplicated: 1, ReplayRequests: 1, Replayed: 5,
	}, stats)
}

func TestLossIsRandomAndRepeatable(t *testing.T) {
	var runs [2][]uint64
	for run := range runs {
		p := newKV(t, KVOptions{ReplayEndpoint: loopback})
		require.NoError(t, p.Faults().SetLossRate(0.25, 7))
		sub := subscribe(t, p, "")
		publishAll(p, 0, 400)
		runs[run] = sequences(t, sub, 400-int(p.Stats().Dropped))
		assert.Len(t, replay(t, p, 0, false), 400)
		assert.InDelta(t, 100, p.Stats().Dropped, 40)
	}
	assert.Equal(t, runs[0], runs[1])
	var f Faults
	require.EqualError(t, f.SetLossRate(1.5, 0), "loss rate: must be 0 to 1, got 1.5")
}

// replay asks as a DEALER does and returns the answers before the end marker.
func replay(t *testing.T, p *KVPublisher, start uint64, bare bool) []message {
	t.Helper()
	conn := dial(t, p.ReplayEndpoint(), zmq4.Dealer)
	require.NoError(t, conn.SendMsg(zmq4.NewMsgFrom(nil, binary.BigEndian.AppendUint64(nil, start))))
	var got []message
	for {
		msg, err := conn.RecvMsg()
		require.NoError(t, err)
		require.Empty(t, msg.Frames[0], "the delimiter")
		frames, topic := msg.Frames[1:], ""
		if !bare {
			topic, frames = string(frames[0]), frames[1:]
		}
		require.Len(t, frames, 2)
		if string(frames[0]) == strings.Repeat("\xff", 8) {
			assert.Empty(t, frames[1])
			assert.Empty(t, topic)
			return got
		}
		got = append(got, message{topic, binary.BigEndian.Uint64(frames[0]), frames[1]})
	}
}

func numbers(messages []message) []uint64 {
	var n []uint64
	for _, m := range messages {
		n = append(n, m.sequence)
	}
	return n
}

func TestReplay(t *testing.T) {
	for _, bare := range []bool{false, true} {
		p := newKV(t, KVOptions{ReplayEndpoint: loopback, Topic: "kv", BufferSteps: 10, BareReplay: bare})
		assert.Empty(t, replay(t, p, 0, bare), "nothing is buffered yet")
		publishAll(p, 0, 25)
		got := replay(t, p, 0, bare)
		assert.Equal(t, []uint64{15, 16, 17, 18, 19, 20, 21, 22, 23, 24}, numbers(got), "the buffer holds the last ten")
		topic := "kv"
		if bare {
			topic = ""
		}
		assert.Equal(t, message{topic, 15, AppendKVBatch(nil, KVBatch{Time: 15, Rank: ptr(0)}, Wire{})}, got[0])
		assert.Equal(t, []uint64{22, 23, 24}, numbers(replay(t, p, 22, bare)))
		assert.Empty(t, replay(t, p, 25, bare))
		p.SetReplay(ReplayEmpty)
		assert.Empty(t, replay(t, p, 0, bare))
	}
}

func TestLargeReplayArrivesWhole(t *testing.T) {
	p := newKV(t, KVOptions{ReplayEndpoint: loopback})
	tokens := make([]uint32, 1024)
	for range 300 {
		p.Publish(KVBatch{Events: []KVEvent{{Kind: BlockStored, Tokens: tokens}}})
	}
	got := replay(t, p, 0, false)
	require.Len(t, got, 300)
	assert.Equal(t, got[0].payload, got[299].payload)
}

func TestRefusedReplayIsSilent(t *testing.T) {
	p := newKV(t, KVOptions{ReplayEndpoint: loopback})
	p.Publish(batchOf(0))
	p.SetReplay(ReplayRefused)
	conn := dial(t, p.ReplayEndpoint(), zmq4.Dealer)
	request := zmq4.NewMsgFrom(nil, make([]byte, 8))
	require.NoError(t, conn.SendMsg(request))
	require.Eventually(t, func() bool { return p.Stats().ReplayRequests == 1 }, patience, interval)
	p.SetReplay(ReplayServed)
	require.NoError(t, conn.SendMsg(request))
	msg, err := conn.RecvMsg()
	require.NoError(t, err)
	assert.Len(t, msg.Frames, 4)
	assert.Equal(t, uint64(1), p.Stats().Replayed, "the first request had no answer")
}

func TestReplayRequestsOfTheWrongShape(t *testing.T) {
	p := newKV(t, KVOptions{ReplayEndpoint: loopback})
	p.Publish(batchOf(0))
	conn := dial(t, p.ReplayEndpoint(), zmq4.Dealer)
	require.NoError(t, conn.SendMsg(zmq4.NewMsg([]byte("no delimiter"))))
	require.NoError(t, conn.SendMsg(zmq4.NewMsgFrom(nil, make([]byte, 9))))
	require.NoError(t, conn.SendMsg(zmq4.NewMsgFrom(nil, nil, nil)))
	require.Eventually(t, func() bool { return p.Stats().InvalidReplays == 3 }, patience, interval)
	require.NoError(t, conn.SendMsg(zmq4.NewMsgFrom(nil, []byte{0})), "a short number counts")
	msg, err := conn.RecvMsg()
	require.NoError(t, err)
	assert.Len(t, msg.Frames, 4)
}

func TestRestartBeginsAnew(t *testing.T) {
	p := newKV(t, KVOptions{ReplayEndpoint: loopback})
	sub := subscribe(t, p, "")
	publishAll(p, 0, 3)
	assert.Equal(t, []uint64{0, 1, 2}, sequences(t, sub, 3))
	p.Restart()
	assert.Zero(t, p.Subscribers())
	_, err := sub.RecvMsg()
	require.Error(t, err, "the connection breaks")
	assert.Empty(t, replay(t, p, 0, false))
	sub = subscribe(t, p, "")
	publishAll(p, 0, 2)
	assert.Equal(t, []uint64{0, 1}, sequences(t, sub, 2))
	assert.Equal(t, []uint64{0, 1}, numbers(replay(t, p, 0, false)))
}

func TestSlowSubscriberLosesItsOwn(t *testing.T) {
	p := newKV(t, KVOptions{HighWaterMark: 8})
	subscribe(t, p, "") // reads nothing
	big := KVBatch{Events: []KVEvent{{Kind: BlockStored, Tokens: make([]uint32, 1<<20)}}}
	for range 1000 {
		if p.Publish(big); p.Stats().SubscriberDrops > 0 {
			break
		}
	}
	require.NotZero(t, p.Stats().SubscriberDrops)
	quick := subscribe(t, p, "")
	p.Publish(batchOf(0))
	receive(t, quick)
	require.NoError(t, p.Close(), "a subscriber that does not read does not hold up Close")
}

func TestPeersThatAreNotZeroMQ(t *testing.T) {
	p := newKV(t, KVOptions{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.Endpoint(), "tcp://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: something long enough\r\n\r\n"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return p.Stats().RefusedPeers == 1 }, patience, interval)
	sub := subscribe(t, p, "")
	p.Publish(batchOf(0))
	receive(t, sub)
}

func TestASilentPeerDoesNotHoldUpClose(t *testing.T) {
	p := newKV(t, KVOptions{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.Endpoint(), "tcp://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, p.Close())
}

func TestPortInUse(t *testing.T) {
	p := newKV(t, KVOptions{})
	_, err := NewKVPublisher(KVOptions{Endpoint: p.Endpoint()})
	require.ErrorContains(t, err, fmt.Sprintf("endpoint: %q is in use: ", p.Endpoint()))
	_, err = NewKVPublisher(KVOptions{Endpoint: loopback, ReplayEndpoint: p.Endpoint()})
	require.ErrorContains(t, err, fmt.Sprintf("replay_endpoint: %q is in use: ", p.Endpoint()))
}

func TestTheLibrarysOwnSubscriber(t *testing.T) {
	p := newKV(t, KVOptions{Topic: "kv"})
	sub := zmq4.NewSub(t.Context())
	require.NoError(t, sub.SetOption(zmq4.OptionSubscribe, "kv"))
	require.NoError(t, sub.Dial(p.Endpoint()))
	require.Eventually(t, func() bool { return p.Subscribers() == 1 }, patience, interval)
	publishAll(p, 0, 5)
	for n := range uint64(5) {
		msg, err := sub.Recv()
		require.NoError(t, err)
		require.Len(t, msg.Frames, 3)
		assert.Equal(t, n, binary.BigEndian.Uint64(msg.Frames[1]))
	}
	require.NoError(t, sub.Close())
}

// TestAPeerWithACutOffProperty announces a property's value and sends none.
func TestAPeerWithACutOffProperty(t *testing.T) {
	p := newKV(t, KVOptions{})
	raw, err := net.Dial("tcp", strings.TrimPrefix(p.Endpoint(), "tcp://"))
	require.NoError(t, err)
	defer func() { _ = raw.Close() }()
	greeting := make([]byte, 64)
	copy(greeting, "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00NULL")
	_, err = raw.Write(append(greeting, "\x04\x15\x05READY\x0bSocket-Type\x00\x00\x00"...))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return p.Stats().RefusedPeers == 1 }, patience, interval)
	sub := subscribe(t, p, "")
	p.Publish(batchOf(0))
	assert.Equal(t, uint64(0), receive(t, sub).sequence)
}
