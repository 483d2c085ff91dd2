package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"math"
	"sync"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/kvcache"
	"github.com/otelcol-inference/otelcol-inference/internal/kvevents"
	"github.com/otelcol-inference/otelcol-inference/internal/zmqsub"
)

// farClock is how far an engine's clock may be from ours before its times are taken for garbage.
const farClock = time.Hour

// kvStream follows the KV cache of one worker. Its subscriber feeds it, and the loop of the streams reads it.
type kvStream struct {
	clock clock
	state streamState

	mu       sync.Mutex
	index    *kvcache.Index
	sink     kvSink
	decoder  kvevents.Decoder
	started  bool // a message has come
	replayed bool // the next message was had by replay
	counts   kvCounts
}

// kvCounts are numbers of messages, and of replays that failed.
type kvCounts struct {
	taken, replayed, refused, foreign, duplicate, malformed, misframed, lost, replayFailed uint64
}

var _ zmqsub.Handler = (*kvStream)(nil)

func newKVStream(c *KVEventsConfig, memory int, seed uint64, clk clock, state streamState) *kvStream {
	index := kvcache.NewIndex(kvcache.Settings{
		MemoryLimit: memory, Horizon: c.Horizon, ExactBlocks: c.ExactBlocks, SampledBlocks: c.SampledBlocks, MaxDistance: c.MaxReuseDistance,
		Seed: seed,
	}, true)
	index.Suspend()
	return &kvStream{clock: clk, state: state, index: index, sink: kvSink{Index: index}}
}

// kvSink gives the index times that can be believed.
type kvSink struct {
	*kvcache.Index
	now time.Time
}

// At passes the engine's time on, or ours where it is garbage.
func (s *kvSink) At(seconds float64) {
	now := float64(s.now.UnixNano()) / 1e9
	if !(math.Abs(seconds-now) <= farClock.Seconds()) {
		seconds = now
	}
	s.Index.At(seconds)
}

// Connected is told to the status.
func (k *kvStream) Connected() { k.state.connected() }

// Disconnected suspends the index until a message tells that it still is the same engine, and is told to the status.
func (k *kvStream) Disconnected(why error) {
	k.state.disconnected(why)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.index.Suspend()
}

// Message takes a batch. One that cannot be read, or not all of it, or that has events of a kind that is not known, is as good as lost.
func (k *kvStream) Message(payload []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.started = true
	k.index.Resume()
	k.sink.now = k.clock.Now()
	refused := k.index.Refused()
	report, err := k.decoder.Decode(payload, &k.sink)
	switch {
	case err != nil || report.Malformed > 0:
		k.counts.malformed++
		k.index.Gap()
	case report.Foreign > 0:
		k.counts.foreign++
		k.index.Gap()
	case k.index.Refused() > refused:
		k.counts.refused++
	case k.replayed:
		k.counts.replayed++
	default:
		k.counts.taken++
	}
	k.replayed = false
}

// Lost marks the index as not known. It is also called for what was before the first message.
func (k *kvStream) Lost(n uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.counts.lost += n
	k.index.Gap()
	k.index.Resume()
}

// Restarted empties the index: a new process has an empty cache.
func (k *kvStream) Restarted() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.index.Clear()
	k.index.Resume()
}

// Note counts.
func (k *kvStream) Note(n zmqsub.Note) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch n {
	case zmqsub.Duplicate:
		k.counts.duplicate++
	case zmqsub.Misframed:
		k.counts.misframed++
	case zmqsub.Replayed:
		k.replayed = true
	case zmqsub.ReplayFailed:
		k.counts.replayFailed++
	}
}

// kvSnapshot is what there is to say of a stream.
type kvSnapshot struct {
	started bool
	totals  kvcache.Totals
	state   kvcache.State
	counts  kvCounts
}

func (k *kvStream) snapshot() kvSnapshot {
	k.mu.Lock()
	defer k.mu.Unlock()
	return kvSnapshot{k.started, k.index.Totals(), k.index.State(), k.counts}
}

// hitTokens returns the tokens that events show as hits so far, if there were events.
func (k *kvStream) hitTokens() (tokens float64, started bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return float64(k.index.HitTokens()), k.started
}

// join makes the index part of a fleet's merged view; nil is none.
func (k *kvStream) join(f *kvcache.Fleet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.index.Join(f)
}
