package stream

import (
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	loopback = "tcp://127.0.0.1:0"
	patience = 10 * time.Second
	interval = time.Millisecond
)

// dial opens one ZeroMQ connection to an endpoint.
func dial(t testing.TB, endpoint string, kind zmq4.SocketType) *zmq4.Conn {
	t.Helper()
	scheme, address, _ := strings.Cut(endpoint, "://")
	network := map[string]string{"tcp": "tcp", "ipc": "unix"}[scheme]
	raw, err := net.Dial(network, address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = raw.Close() })
	require.NoError(t, raw.SetDeadline(time.Now().Add(patience)))
	conn, err := zmq4.Open(raw, null.Security(), kind, nil, false, nil)
	require.NoError(t, err)
	return conn
}

type source interface {
	Endpoint() string
	Subscribers() int
}

// subscribe opens a subscriber that the publisher knows of.
func subscribe(t testing.TB, p source, topic string) *zmq4.Conn {
	t.Helper()
	before := p.Subscribers()
	conn := dial(t, p.Endpoint(), zmq4.Sub)
	require.NoError(t, conn.SendMsg(zmq4.NewMsg(append([]byte{1}, topic...))))
	require.Eventually(t, func() bool { return p.Subscribers() == before+1 }, patience, interval)
	return conn
}

type message struct {
	topic    string
	sequence uint64
	payload  []byte
}

func receive(t *testing.T, conn *zmq4.Conn) message {
	t.Helper()
	msg, err := conn.RecvMsg()
	require.NoError(t, err)
	require.Len(t, msg.Frames, 3)
	require.Len(t, msg.Frames[1], 8)
	return message{topic: string(msg.Frames[0]), sequence: binary.BigEndian.Uint64(msg.Frames[1]), payload: msg.Frames[2]}
}

func sequences(t *testing.T, conn *zmq4.Conn, n int) []uint64 {
	t.Helper()
	got := make([]uint64, n)
	for i := range got {
		got[i] = receive(t, conn).sequence
	}
	return got
}

func newKV(t *testing.T, o KVOptions) *KVPublisher {
	t.Helper()
	if o.Endpoint == "" {
		o.Endpoint = loopback
	}
	p, err := NewKVPublisher(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func newPass(t *testing.T, o PassOptions) *PassPublisher {
	t.Helper()
	if o.Endpoint == "" {
		o.Endpoint = loopback
	}
	p, err := NewPassPublisher(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// batchOf is a batch that tells its number.
func batchOf(n int) KVBatch { return KVBatch{Time: float64(n)} }

func publishAll(p *KVPublisher, from, to int) {
	for n := from; n < to; n++ {
		p.Publish(batchOf(n))
	}
}
