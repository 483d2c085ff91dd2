package nixl

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kinds are the types of the unread events.
func kinds(t *testing.T, r *Ring, l Layout) []uint32 {
	t.Helper()
	h, all := decode(t, r.Path(), l)
	var out []uint32
	for _, e := range unread(h, all) {
		out = append(out, e.kind)
	}
	return out
}

func TestATransferIsStagedWholeOrNotFromTheFourthLayout(t *testing.T) {
	r, c := start(t, Options{Capacity: 64, Staging: 6})
	r.Register(1)
	r.Transfer(oneMiB)
	r.Transfer(oneMiB)
	r.Error(Backend)
	r.Error(Backend)
	c.flush(r)
	assert.Equal(t, []uint32{4, 7, 6, 0, 2, 10, 20}, kinds(t, r, V4), "the second transfer and the second error found no room")
	h, all := decode(t, r.Path(), V4)
	assert.Equal(t, uint64(5), unread(h, all)[6].value, "and are told")
	assert.Equal(t, Counts{Offered: 11, StagingDropped: 5, Written: 7}, r.Counts())
	c.flush(r)
	assert.Len(t, kinds(t, r, V4), 7, "once")
}

func TestBeforeThePostTimeIsStagedAloneAndNothingIsTold(t *testing.T) {
	for _, l := range []Layout{V2, V3} {
		r, c := start(t, Options{Layout: l, Capacity: 64, Staging: 6})
		r.Register(1)
		r.Transfer(oneMiB)
		r.Transfer(oneMiB)
		c.flush(r)
		assert.Equal(t, []uint32{4, 7, 6, 0, 2, 7}, kinds(t, r, l), "%s: a post time without its transfer", l)
		assert.Equal(t, Counts{Offered: 9, StagingDropped: 3, Written: 6}, r.Counts())
	}
}

func TestTheFirstLayoutStagesWithoutBound(t *testing.T) {
	r, c := start(t, Options{Layout: V1, Capacity: 16, Staging: 2})
	for range 100 {
		r.Register(1)
	}
	c.flush(r)
	assert.Equal(t, Counts{Offered: 100, Written: 15, Lost: 85}, r.Counts())
}

func TestTheForkTellsDropsByAnotherNumber(t *testing.T) {
	r, c := start(t, Options{Layout: V5Fork, Capacity: 8, Staging: 1})
	r.Register(1)
	r.Register(2)
	r.Inject(36, 5)
	c.flush(r)
	assert.Equal(t, []uint32{4, 37}, kinds(t, r, V5Fork))
	r.Inject(36, 5)
	c.flush(r)
	assert.Equal(t, []uint32{4, 37, 36}, kinds(t, r, V5Fork))
}

func TestMetricsNotEnabledAreNeitherStagedNorDropped(t *testing.T) {
	r, c := start(t, Options{Capacity: 64, Staging: 3, Metrics: []string{"agent_xfer_t*", "agent_?x_bytes", "agent_err_back*"}})
	r.Register(1)
	r.Transfer(oneMiB)
	r.Transfer(oneMiB)
	r.Error(NotFound)
	r.Error(Backend)
	c.flush(r)
	assert.Equal(t, []uint32{6, 0, 10}, kinds(t, r, V4), "nor is the number of drops, which is not enabled")
	assert.Equal(t, Counts{Offered: 5, StagingDropped: 2, Written: 3}, r.Counts())
	r, c = start(t, Options{Capacity: 64, Metrics: []string{"agent_nothing"}})
	r.Transfer(oneMiB)
	c.flush(r)
	assert.Empty(t, kinds(t, r, V4))
}

func TestErrorsNobodyCountsLeaveNoTrace(t *testing.T) {
	var reported []uint32
	for s := NotPosted; s <= NoTelemetry; s++ {
		if s.Reported() {
			reported = append(reported, 7+uint32(s))
		}
	}
	assert.Equal(t, []uint32{9, 10, 11, 15, 16}, reported)
	for _, all := range []bool{false, true} {
		r, c := start(t, Options{Capacity: 32, AllErrors: all})
		for s := Status(0); s <= NoTelemetry+1; s++ {
			r.Error(s)
		}
		c.flush(r)
		want := reported
		if all {
			want = []uint32{8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}
		}
		assert.Equal(t, want, kinds(t, r, V4))
	}
}

func TestNamesOfTheErrors(t *testing.T) {
	assert.Equal(t, "NIXL_ERR_NOT_POSTED", NotPosted.event().text())
	assert.Equal(t, "NIXL_ERR_NO_TELEMETRY", NoTelemetry.event().text())
	assert.Equal(t, "agent_err_remote_disconnect", RemoteDisconnect.event().name())
	assert.Empty(t, EventType(21).name())
}

// TestThreadsDoNotSplitATransfer stages from many goroutines while one flushes.
func TestThreadsDoNotSplitATransfer(t *testing.T) {
	const threads, each = 4, 500
	r, c := start(t, Options{Capacity: 1 << 14})
	var wg sync.WaitGroup
	for i := range threads {
		wg.Go(func() {
			for range each {
				r.Transfer(Transfer{Write: i%2 == 0, Bytes: uint64(i), Post: time.Duration(i) * time.Microsecond})
			}
		})
	}
	for range 100 {
		c.flush(r)
	}
	wg.Wait()
	c.flush(r)
	h, all := decode(t, r.Path(), V4)
	events := unread(h, all)
	counts := r.Counts()
	require.Equal(t, uint64(4*threads*each), counts.Offered)
	var transfers int
	for len(events) > 0 {
		if events[0].kind == uint32(EventsDropped) {
			events = events[1:]
			continue
		}
		post, size := events[0], events[2]
		require.Equal(t, post.value, size.value, "bytes and post time of one thread")
		require.Equal(t, [4]uint32{7, 6, uint32(size.value % 2), 2 + uint32(size.value%2)},
			[4]uint32{post.kind, events[1].kind, size.kind, events[3].kind})
		events = events[4:]
		transfers++
	}
	assert.Equal(t, uint64(4*transfers)+counts.StagingDropped, counts.Offered)
}
