package nixl

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/nixl"
)

func ev(kind EventType, value uint64) Event { return Event{Type: kind, Value: value} }

// transfer is what a batch holds.
func transfer(post, us, size uint64) []Event {
	return []Event{ev(XferPostTime, post), ev(XferTime, us), ev(TxBytes, size), ev(TxRequests, 1)}
}

func tallied(l Layout, events ...Event) *Tally {
	t := NewTally(l)
	t.Take(events)
	return t
}

func TestATransferIsPiecedTogether(t *testing.T) {
	tally := tallied(V4, transfer(12, 250, 1<<20)...)
	assert.Equal(t, uint64(1), tally.Duration[Transmit].Count())
	assert.Equal(t, uint64(250), tally.Duration[Transmit].Sum)
	assert.Equal(t, uint64(12), tally.Post[Transmit].Sum)
	assert.Equal(t, uint64(1<<20), tally.Size[Transmit].Sum)
	assert.Equal(t, uint64(4_194_304_000), tally.Throughput[Transmit].Sum)
	assert.Zero(t, tally.Duration[Undirected].Count()+tally.Duration[Receive].Count())
}

func TestATransferIsPiecedTogetherAcrossPolls(t *testing.T) {
	tally := NewTally(V4)
	for _, e := range append(transfer(1, 2, 3), transfer(4, 5, 6)...) {
		tally.Take([]Event{e})
	}
	assert.Equal(t, uint64(2), tally.Duration[Transmit].Count())
	assert.Equal(t, uint64(2), tally.Post[Transmit].Count())
}

func TestATimeOfZeroHasNoThroughput(t *testing.T) {
	tally := tallied(V4, transfer(0, 0, 4096)...)
	assert.Equal(t, uint64(1), tally.Duration[Transmit].Count())
	assert.Zero(t, tally.Throughput[Transmit].Count())
}

func TestThroughputDoesNotOverflow(t *testing.T) {
	assert.Equal(t, uint64(1<<20*4000), perSecond(1<<20, 250))
	assert.Equal(t, uint64(math.MaxUint64), perSecond(math.MaxUint64, 1))
	assert.Equal(t, uint64(2_000_000), perSecond(math.MaxUint64-1, math.MaxUint64/2))
}

func TestWhatIsMissingIsNotGuessed(t *testing.T) {
	full := transfer(12, 250, 4096)
	for name, c := range map[string]struct {
		events                                       []Event
		directed, undirected, posts, sizes, throughs uint64
	}{
		"without requests":   {full[:3], 1, 0, 1, 1, 1},
		"without bytes":      {[]Event{full[0], full[1], full[3]}, 1, 0, 1, 0, 0},
		"without the post":   {full[1:], 1, 0, 0, 1, 1},
		"without the time":   {[]Event{full[0], full[2], full[3]}, 0, 0, 1, 1, 0},
		"times alone":        {[]Event{full[1], full[1], ev(MemoryRegistered, 1)}, 0, 2, 0, 0, 0},
		"bytes alone":        {full[2:], 0, 0, 0, 1, 0},
		"an error between":   {[]Event{full[0], full[1], ev(firstError, 1), full[2]}, 0, 1, 0, 1, 0},
		"an unknown between": {[]Event{full[1], ev(99, 1), full[2]}, 0, 1, 0, 1, 0},
		"posts alone":        {[]Event{full[0], full[0], ev(MemoryRegistered, 1)}, 0, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tally := tallied(V4, c.events...)
			assert.Equal(t, c.directed, tally.Duration[Transmit].Count(), "directed")
			assert.Equal(t, c.undirected, tally.Duration[Undirected].Count(), "undirected")
			assert.Equal(t, c.posts, tally.Post[Transmit].Count(), "posts")
			assert.Equal(t, c.sizes, tally.Size[Transmit].Count(), "sizes")
			assert.Equal(t, c.throughs, tally.Throughput[Transmit].Count(), "throughput")
		})
	}
}

func TestACutSeparatesTransfers(t *testing.T) {
	tally := NewTally(V4)
	tally.Take(transfer(12, 250, 4096)[:2])
	tally.Cut()
	tally.Take(transfer(99, 99, 1<<30)[2:])
	assert.Equal(t, uint64(1), tally.Duration[Undirected].Count())
	assert.Zero(t, tally.Duration[Transmit].Count())
	assert.Zero(t, tally.Throughput[Transmit].Count())
	assert.Equal(t, uint64(1<<30), tally.Size[Transmit].Sum)
}

// TestPostTimesOfOldReleasesBelongToNoTransfer: they were staged alone, so that the next time may be another thread's.
func TestPostTimesOfOldReleasesBelongToNoTransfer(t *testing.T) {
	for _, l := range []Layout{V1, V2Named, V2, V3} {
		tally := tallied(l, ev(XferPostTime, 1), ev(XferPostTime, 2), ev(XferTime, 9), ev(RxBytes, 8), ev(RxRequests, 1))
		assert.Equal(t, uint64(2), tally.Post[Undirected].Count())
		assert.Equal(t, uint64(1), tally.Duration[Receive].Count())
	}
}

func TestInterleavedThreadsDoNotSplitABatch(t *testing.T) {
	a := start(t, sim.Options{Capacity: 1 << 13})
	r, tally := consume(t, a.Path()), NewTally(V4)
	done := make(chan struct{})
	const threads, each = 8, 100
	for i := range threads {
		go func() {
			for range each {
				a.Transfer(sim.Transfer{Write: i%2 == 0, Bytes: 1000, Duration: 2000, Post: 1000})
			}
			done <- struct{}{}
		}()
	}
	for range threads {
		<-done
	}
	a.flush()
	poll(t, r, tally)
	assert.Equal(t, uint64(threads*each/2), tally.Duration[Transmit].Count())
	assert.Equal(t, uint64(threads*each/2), tally.Duration[Receive].Count())
	assert.Zero(t, tally.Duration[Undirected].Count())
}

// TestEnabledMetricsLeaveWhatTheyLeave filters at the agent, as 1.5 does.
func TestEnabledMetricsLeaveWhatTheyLeave(t *testing.T) {
	a := start(t, sim.Options{Metrics: []string{"agent_xfer_time", "agent_tx_bytes"}})
	r, tally := consume(t, a.Path()), NewTally(V4)
	for range 3 {
		a.Transfer(sim.Transfer{Write: true, Bytes: 1000, Duration: 2000, Post: 1000})
		a.Transfer(sim.Transfer{Bytes: 1000, Duration: 2000, Post: 1000})
	}
	a.Register(1)
	a.flush()
	poll(t, r, tally)
	tally.Cut()
	assert.Equal(t, uint64(3), tally.Duration[Transmit].Count())
	assert.Equal(t, uint64(3), tally.Duration[Undirected].Count(), "of the reads nothing tells the direction")
	assert.Zero(t, tally.Post[Transmit].Count())
}

func TestAFullRingCutsATransfer(t *testing.T) {
	a := start(t, sim.Options{Capacity: 8})
	r, tally := consume(t, a.Path()), NewTally(V4)
	for range 3 {
		a.Transfer(sim.Transfer{Write: true, Bytes: 1000, Duration: 2000, Post: 1000})
	}
	a.flush() // 12 events, 7 fit: one transfer, then post, time and bytes of the next
	assert.True(t, poll(t, r, tally).Full)
	for range 1 {
		a.Transfer(sim.Transfer{Bytes: 5000, Duration: 7000, Post: 1000})
	}
	a.flush()
	poll(t, r, tally)
	assert.Equal(t, uint64(2), tally.Duration[Transmit].Count())
	assert.Equal(t, uint64(1), tally.Sums[TxRequests])
	assert.Equal(t, uint64(1), tally.Duration[Receive].Count())
	assert.Equal(t, uint64(5), a.Counts().Lost)
}

func TestHistogramsHaveNIXLsBounds(t *testing.T) {
	var want []uint64
	for _, b := range sim.DefaultBuckets() {
		want = append(want, uint64(b))
	}
	assert.Equal(t, want, DefaultBuckets())
	h := newHistogram([]uint64{10, 20})
	for _, v := range []uint64{0, 10, 11, 20, 21, 1 << 60} {
		h.add(v)
	}
	assert.Equal(t, []uint64{2, 2, 2}, h.Counts, "bounds belong to the bucket below")
	for _, bounds := range [][]uint64{sizeBuckets(), throughputBuckets()} {
		assert.IsIncreasing(t, bounds)
	}
	assert.Equal(t, uint64(8<<30), sizeBuckets()[11])
}

// TestEventsCountAlikeInAnyPieces: whole transfers at once, and each event for itself.
func TestEventsCountAlikeInAnyPieces(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var events []Event
	for range 2000 {
		write := EventType(random.IntN(2))
		whole := []Event{
			{Type: XferPostTime, Value: random.Uint64N(100)}, {Type: XferTime, Value: random.Uint64N(3) * 100},
			{Type: TxBytes + write, Value: random.Uint64N(1 << 24)}, {Type: TxRequests + write, Value: 1},
		}
		switch random.IntN(4) {
		case 0:
			whole[random.IntN(4)].Type = EventType(random.IntN(23))
		case 1:
			whole = whole[random.IntN(4):]
		}
		events = append(events, whole...)
	}
	for _, l := range []Layout{V3, V4} {
		one, all := NewTally(l), NewTally(l)
		for i := range events {
			one.Take(events[i : i+1])
		}
		all.Take(events)
		assert.Equal(t, one, all, l)
		assert.NotZero(t, all.Throughput[Transmit].Count())
	}
}
