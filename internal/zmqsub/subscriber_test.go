package zmqsub

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
)

func TestMessagesComeInOrder(t *testing.T) {
	p := newPublisher(t, stream.KVOptions{Topic: "kv@pod"})
	s := settings(t, p.Endpoint(), "")
	s.Topic = "kv@"
	d := follow(t, s)
	subscribed(t, p)
	publish(p, 0, 4)
	d.expect(t, "0", "1", "2", "3", "4")
}

func TestUnixSockets(t *testing.T) {
	p := newPublisher(t, stream.KVOptions{Endpoint: "ipc://" + filepath.Join(t.TempDir(), "kv"), Rank: 1})
	s := settings(t, p.Endpoint(), "")
	d := follow(t, s)
	subscribed(t, p)
	p.Publish(stream.KVBatch{Time: 3, Rank: new(int)})
	d.expect(t, "3")
}

func TestReplayMendsGaps(t *testing.T) {
	for name, bare := range map[string]bool{"topic": false, "bare": true} {
		t.Run(name, func(t *testing.T) {
			p := newPublisher(t, stream.KVOptions{ReplayEndpoint: loopback, BareReplay: bare})
			publish(p, 0, 2) // before anybody listens
			d := follow(t, settings(t, p.Endpoint(), p.ReplayEndpoint()))
			subscribed(t, p)
			publish(p, 3, 3)
			d.expect(t, "0", "1", "2", "3")
			p.Faults().DropNext(2)
			publish(p, 4, 6)
			d.expect(t, "0", "1", "2", "3", "4", "5", "6")
			p.Faults().LoseNext(1)
			p.Faults().DropNext(1)
			publish(p, 7, 9)
			d.expect(t, "0", "1", "2", "3", "4", "5", "6", "lost 1", "8", "9")
		})
	}
}

func TestGapsWithoutReplayAreLost(t *testing.T) {
	p := newPublisher(t, stream.KVOptions{ReplayEndpoint: loopback})
	publish(p, 0, 1)
	d := follow(t, settings(t, p.Endpoint(), ""))
	subscribed(t, p)
	p.Faults().DuplicateNext(1)
	publish(p, 2, 2)
	p.Faults().DropNext(3)
	publish(p, 3, 6)
	d.expect(t, "lost 2", "2", "duplicate", "lost 3", "6")

	p = newPublisher(t, stream.KVOptions{ReplayEndpoint: loopback})
	p.SetReplay(stream.ReplayEmpty)
	d = follow(t, settings(t, p.Endpoint(), p.ReplayEndpoint()))
	subscribed(t, p)
	p.Faults().DropNext(1)
	publish(p, 0, 1)
	d.expect(t, "replay failed", "lost 1", "1")
}

func TestAReplayThatNeverEndsIsCutOff(t *testing.T) {
	p := newPublisher(t, stream.KVOptions{ReplayEndpoint: loopback})
	p.SetReplay(stream.ReplayRefused)
	s := settings(t, p.Endpoint(), p.ReplayEndpoint())
	s.ReplayTimeout = minReplayTimeout
	d := follow(t, s)
	subscribed(t, p)
	p.Faults().DropNext(1)
	publish(p, 0, 2)
	d.expect(t, "replay failed", "lost 1", "1", "2")
}

func TestRestarts(t *testing.T) {
	p := newPublisher(t, stream.KVOptions{ReplayEndpoint: loopback})
	d := follow(t, settings(t, p.Endpoint(), p.ReplayEndpoint()))
	subscribed(t, p)
	publish(p, 0, 2)
	d.expect(t, "0", "1", "2")
	p.Restart()
	subscribed(t, p)
	publish(p, 10, 11)
	d.expect(t, "0", "1", "2", "restarted", "10", "11")

	// The new process has published more than the old one by the time of the next message.
	p.Restart()
	publish(p, 20, 24)
	subscribed(t, p)
	publish(p, 25, 25)
	d.expect(t, "0", "1", "2", "restarted", "10", "11", "restarted", "20", "21", "22", "23", "24", "25")
	assert.Equal(t, 3, d.times())
}

// TestReconnectsToTheSameProcess breaks the connection and nothing else.
func TestReconnectsToTheSameProcess(t *testing.T) {
	p := newPublisher(t, stream.KVOptions{ReplayEndpoint: loopback})
	via := newRelay(t, p.Endpoint())
	d := follow(t, settings(t, via.endpoint(), p.ReplayEndpoint()))
	subscribed(t, p)
	publish(p, 0, 2)
	d.expect(t, "0", "1", "2")
	via.hangUp()
	require.Eventually(t, func() bool { return d.times() == 2 && p.Subscribers() == 1 }, patience, interval)
	publish(p, 3, 3)
	d.expect(t, "0", "1", "2", "3")
}

// relay passes bytes between clients and a publisher.
type relay struct {
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
}

func newRelay(t *testing.T, to string) *relay {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{listener: ln}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to[len("tcp://"):])
			if err != nil {
				_ = in.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, in, out)
			r.mu.Unlock()
			wait.Go(func() { pour(in, out) })
			wait.Go(func() { pour(out, in) })
		}
	})
	t.Cleanup(func() { _ = ln.Close(); r.hangUp(); wait.Wait() })
	return r
}

func pour(to, from net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			_ = to.Close()
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (r *relay) endpoint() string { return "tcp://" + r.listener.Addr().String() }

func (r *relay) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

// TestPeersThatAnnounceTooMuch: the memory they announce is not allocated, and the subscriber comes again.
func TestPeersThatAnnounceTooMuch(t *testing.T) {
	greeting := make([]byte, greetingBytes)
	copy(greeting, "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00NULL")
	ready := append([]byte{flagCommand, 25}, "\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB"...)
	long := func(flags byte, size uint64) []byte {
		return binary.BigEndian.AppendUint64([]byte{flags | flagLong}, size)
	}
	frames := func(n int) (b []byte) {
		for range n {
			b = append(b, flagMore, 0)
		}
		return b
	}
	for name, tt := range map[string]struct {
		say  [][]byte
		want string
	}{
		"greeting of another protocol": {[][]byte{[]byte("HTTP/1.1 400 Bad Request\r\n\r\n                                                  ")}, "greeting: the peer does not speak ZeroMQ"},
		"other security":               {[][]byte{bytes.Replace(greeting, []byte("NULL"), []byte("CURV"), 1)}, `greeting: the peer must speak version 3 without security (got version 3, mechanism "CURV")`},
		"long handshake":               {[][]byte{greeting, long(flagCommand, 1<<62)}, "handshake: message: the peer announces more than the limit of 4096 bytes (got 4611686018427387904)"},
		"no handshake":                 {[][]byte{greeting, {0, 1, 'x'}}, "handshake: the peer sends no command"},
		"refusal":                      {[][]byte{greeting, append([]byte{flagCommand, 9}, "\x05ERROR\x02no"...)}, `handshake: the peer must be READY (got "ERROR \x02no")`},
		"other socket":                 {[][]byte{greeting, bytes.Replace(ready, []byte("PUB"), []byte("REP"), 1)}, `handshake: the peer must be PUB or XPUB (got "REP")`},
		"property cut off":             {[][]byte{greeting, bytes.Replace(ready, []byte{0, 0, 0, 3}, []byte{0, 0, 0, 9}, 1)}, "handshake: a property of the peer is cut off"},
		"no properties":                {[][]byte{greeting, append([]byte{flagCommand, 6}, "\x05READY"...)}, "handshake: the peer does not say what socket it is"},
		"frame":                        {[][]byte{greeting, ready, long(0, 1<<62)}, "message: the peer announces more than the limit of 1048576 bytes (got 4611686018427387904)"},
		"many frames":                  {[][]byte{greeting, ready, frames(100)}, "a message must have at most 8 frames"},
		"frames that add up":           {[][]byte{greeting, ready, append(append(long(flagMore, 1<<20), make([]byte, 1<<20)...), 0, 1)}, "(got 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			var wait sync.WaitGroup
			wait.Go(func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					wait.Go(func() {
						defer func() { _ = c.Close() }()
						for _, b := range tt.say {
							if _, err := c.Write(b); err != nil {
								return
							}
						}
						// The subscriber hangs up.
						buf := make([]byte, 1024)
						for {
							if _, err := c.Read(buf); err != nil {
								return
							}
						}
					})
				}
			})
			ctx, cancel := context.WithCancel(context.Background())
			d := &diary{}
			wait.Go(func() { New(settings(t, "tcp://"+ln.Addr().String(), ""), d).Run(ctx) })
			require.Eventually(t, func() bool { return d.error() != nil }, patience, interval)
			assert.ErrorContains(t, d.error(), tt.want)
			cancel()
			_ = ln.Close()
			wait.Wait()
		})
	}
}

func TestAPublisherThatIsNotThereIsWaitedFor(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	at := "tcp://" + ln.Addr().String()
	require.NoError(t, ln.Close())
	s := settings(t, at, "")
	var mu sync.Mutex
	var pauses []time.Duration
	s.FirstPause, s.MostPause = time.Second, 4*time.Second
	s.After = func(d time.Duration) <-chan time.Time {
		mu.Lock()
		pauses = append(pauses, d)
		mu.Unlock()
		return time.After(time.Millisecond)
	}
	d := follow(t, s)
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(pauses) >= 4 }, patience, interval)
	mu.Lock()
	for i, most := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second} {
		assert.GreaterOrEqual(t, pauses[i], most/2)
		assert.LessOrEqual(t, pauses[i], most)
	}
	mu.Unlock()
	p := newPublisher(t, stream.KVOptions{Endpoint: at})
	subscribed(t, p)
	publish(p, 0, 0)
	d.expect(t, "0")
}

func TestParseEndpoint(t *testing.T) {
	for _, tt := range []struct {
		endpoint string
		rank     int
		want     string
	}{
		{"tcp://h:5557", 0, "tcp://h:5557"},
		{"tcp://h:5557", 3, "tcp://h:5560"},
		{"tcp://[::1]:5557", 1, "tcp://[::1]:5558"},
		{"tcp://h-{rank}:5557", 3, "tcp://h-3:5557"},
		{"ipc:///run/kv", 0, "ipc:///run/kv"},
		{"ipc:///run/kv", 2, "ipc:///run/kv_dp2"},
		{"ipc:///run/fpm.{rank}", 0, "ipc:///run/fpm.0"},
	} {
		e, err := ParseEndpoint(tt.endpoint, tt.rank, "_dp")
		require.NoError(t, err, tt.endpoint)
		assert.Equal(t, tt.want, e.String())
	}
	for endpoint, want := range map[string]string{
		"h:5557":        `must be tcp://host:port or ipc://path (got "h:5557")`,
		"inproc://x":    `must be tcp://host:port or ipc://path (got "inproc://x")`,
		"tcp://*:5557":  `must be tcp://host:port, with the host to connect to (got "tcp://*:5557")`,
		"tcp://h":       `must be tcp://host:port, with the host to connect to (got "tcp://h")`,
		"tcp://h:x":     `must have a port from 1 to 65535 at every rank (got "tcp://h:x" for rank 1)`,
		"tcp://h:65535": `must have a port from 1 to 65535 at every rank (got "tcp://h:65535" for rank 1)`,
		"ipc://":        `must have a path (got "ipc://")`,
	} {
		_, err := ParseEndpoint(endpoint, 1, "")
		assert.EqualError(t, err, want)
	}
}
