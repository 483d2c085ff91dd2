package zmqsub

import (
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
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
	d.expect(t, "lost 0", "2", "duplicate", "lost 3", "6")

	p = newPublisher(t, stream.KVOptions{ReplayEndpoint: loopback})
	p.SetReplay(stream.ReplayEmpty)
	d = follow(t, settings(t, p.Endpoint(), p.ReplayEndpoint()))
	subscribed(t, p)
	p.Faults().DropNext(1)
	publish(p, 0, 1)
	d.expect(t, "replay failed", "lost 0", "1")
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
	d.expect(t, "replay failed", "lost 0", "1", "2")
}

func TestReplaysHaveABudget(t *testing.T) {
	p := newPublisher(t, stream.KVOptions{ReplayEndpoint: loopback})
	s := settings(t, p.Endpoint(), p.ReplayEndpoint())
	s.ReplaysPerHour = 2
	var hours atomic.Int64
	s.Now = func() time.Time { return time.Unix(3600*hours.Load(), 0) }
	d := follow(t, s)
	subscribed(t, p)
	publish(p, 0, 0)
	for n := 1; n < 6; n += 2 {
		p.Faults().DropNext(1)
		publish(p, n, n+1)
	}
	want := []string{"0", "1", "2", "3", "4", "replay failed", "lost 1", "6"}
	d.expect(t, want...)
	hours.Add(1)
	p.Faults().DropNext(1)
	publish(p, 7, 8)
	d.expect(t, append(want, "7", "8")...)
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

// TestAskingWhoItIsHasABudget: a publisher behind a connection that breaks all the time is not asked each time, and without an answer
// it is not believed to be the same.
func TestAskingWhoItIsHasABudget(t *testing.T) {
	p := newPublisher(t, stream.KVOptions{ReplayEndpoint: loopback})
	via := newRelay(t, p.Endpoint())
	s := settings(t, via.endpoint(), p.ReplayEndpoint())
	s.ReplaysPerHour = 1
	s.Now = func() time.Time { return time.Unix(0, 0) }
	d := follow(t, s)
	subscribed(t, p)
	publish(p, 0, 0)
	d.expect(t, "0")
	for n := 1; n <= 2; n++ {
		via.hangUp()
		require.Eventually(t, func() bool { return d.times() == n+1 && p.Subscribers() == 1 }, patience, interval)
		publish(p, n, n)
		if n == 1 {
			d.expect(t, "0", "1")
		}
	}
	d.expect(t, "0", "1", "replay failed", "restarted", "replay failed", "lost 2", "2")
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
