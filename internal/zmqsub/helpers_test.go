package zmqsub

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	loopback = "tcp://127.0.0.1:0"
	patience = 20 * time.Second
	interval = time.Millisecond
)

// diary writes down what a subscriber finds.
type diary struct {
	mu        sync.Mutex
	entries   []string
	connected int
	why       error
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, fmt.Sprintf(format, args...))
}

func (d *diary) Connected() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.connected++
}

func (d *diary) Disconnected(why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.why = why
}

// Message notes the number that batchOf put into the payload.
func (d *diary) Message(payload []byte) {
	for n := range 1000 {
		if string(stream.AppendKVBatch(nil, stream.KVBatch{Time: float64(n), Rank: new(int)}, stream.Wire{})) == string(payload) {
			d.note("%d", n)
			return
		}
	}
	d.note("%x", payload)
}

func (d *diary) Lost(n uint64) { d.note("lost %d", n) }
func (d *diary) Restarted()    { d.note("restarted") }
func (d *diary) Note(n Note) {
	if n != Replayed {
		d.note("%s", [...]string{"duplicate", "misframed", "replayed", "replay failed"}[n])
	}
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.entries...)
}

func (d *diary) times() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.connected
}

func (d *diary) error() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.why
}

// expect waits for these entries and no others.
func (d *diary) expect(t *testing.T, want ...string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(d.read()) >= len(want) }, patience, interval, "want %v", want)
	require.Equal(t, want, d.read())
}

func settings(t *testing.T, endpoint, replay string) Settings {
	t.Helper()
	s := Settings{
		Timeout: patience, ReplayTimeout: patience, MaxMessageBytes: 1 << 20, Sequenced: true, ReplaysPerHour: 100,
		FirstPause: time.Millisecond, MostPause: 10 * time.Millisecond,
	}
	var err error
	s.Endpoint, err = ParseEndpoint(endpoint, 0, "")
	require.NoError(t, err)
	if replay != "" {
		s.Replay, err = ParseEndpoint(replay, 0, "")
		require.NoError(t, err)
	}
	return s
}

// follow runs a subscriber until the test ends.
func follow(t *testing.T, s Settings) *diary {
	t.Helper()
	d := &diary{}
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { New(s, d).Run(ctx) })
	t.Cleanup(func() { cancel(); wait.Wait() })
	return d
}

func newPublisher(t *testing.T, o stream.KVOptions) *stream.KVPublisher {
	t.Helper()
	if o.Endpoint == "" {
		o.Endpoint = loopback
	}
	p, err := stream.NewKVPublisher(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func publish(p *stream.KVPublisher, from, to int) {
	for n := from; n <= to; n++ {
		p.Publish(stream.KVBatch{Time: float64(n)})
	}
}

func subscribed(t *testing.T, p *stream.KVPublisher) {
	t.Helper()
	require.Eventually(t, func() bool { return p.Subscribers() == 1 }, patience, interval)
}
