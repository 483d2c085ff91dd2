package nvmlreceiver

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestCounter(t *testing.T) {
	at := time.Unix(1000, 0)
	var c counter
	observe := func(raw uint64, wide bool) uint64 {
		at = at.Add(time.Second)
		c.observe(raw, wide, at)
		return c.total
	}
	assert.False(t, c.seen())
	assert.EqualValues(t, 0, observe(1000, true), "what was counted before is in no sum")
	assert.EqualValues(t, 500, observe(1500, true))
	assert.EqualValues(t, 700, observe(200, true), "a reset: what it shows came since")
	assert.EqualValues(t, 700, observe(200, true))
	assert.Equal(t, time.Unix(1001, 0), c.start)
	assert.Equal(t, time.Unix(1004, 0), c.at)

	c = counter{}
	observe(math.MaxUint32-9, false)
	assert.EqualValues(t, 15, observe(5, false), "32 bits were used up")
	assert.EqualValues(t, 18, observe(8, false))
	assert.EqualValues(t, 21, observe(3, false), "a reset, not 4 billion")
}

func TestIntegral(t *testing.T) {
	from := time.Unix(1000, 0)
	var i integral
	i.add(0.5, from, from.Add(2*time.Second))
	i.add(1, from.Add(2*time.Second), from.Add(3*time.Second))
	assert.Equal(t, integral{span{start: from, at: from.Add(3 * time.Second)}, 2}, i)
	assert.True(t, i.due())
	assert.False(t, i.due(), "nothing came since")
	i.add(0, i.at, i.at.Add(time.Second))
	assert.True(t, i.due())
}

func TestLinkSpeeds(t *testing.T) {
	assert.InEpsilon(t, 31.5e9, pcieSpeed(4, 16), 0.001, "PCIe 4.0 x16")
	assert.InEpsilon(t, 63e9, pcieSpeed(5, 16), 0.001, "PCIe 5.0 x16")
	assert.InEpsilon(t, 0.5e9, pcieSpeed(2, 1), 0.001)
	assert.Zero(t, pcieSpeed(0, 16))
	assert.Zero(t, pcieSpeed(9, 16), "a generation that is not known yet")
	assert.InEpsilon(t, 478e9, nvlinkSpeed(26562, 18), 0.001, "NVLink 4: 18 links")
}

func TestTheSourceOfALinksBytesIsChosenOnce(t *testing.T) {
	at := time.Unix(1000, 0)
	l := newLedger(at)
	field := fieldKey{197, 0}
	var s source
	decide := func() source { l.decide(&s, 20, field, false, true); return s }
	assert.Equal(t, undecided, decide())
	l.field(197, 0).observe(5, true, at)
	assert.Equal(t, undecided, decide(), "GPM may still have it")
	l.samples.gpm.count(1, at, at.Add(time.Second))
	assert.Equal(t, byField, decide(), "GPM has run and has it not")
	l.activity[20].add(1, at, at.Add(time.Second))
	assert.Equal(t, byField, decide(), "a sum keeps its start")
	var preferred source
	l.decide(&preferred, 20, field, true, true)
	assert.Equal(t, byField, preferred)
	var other source
	l.decide(&other, 20, field, false, true)
	assert.Equal(t, byGPM, other)
}

func TestLedgersAreBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	all := newLedgers()
	live, left := all.take("GPU-live", now), all.take("GPU-left", now)
	all.giveBack("GPU-left", now)
	now = now.Add(forgetLedger / 2)
	for i := range 5 * maxLedgers { // MIG devices that come and go
		uuid := "MIG-" + strconv.Itoa(i)
		all.take(uuid, now)
		all.giveBack(uuid, now)
	}
	assert.Len(t, all.byUUID, maxLedgers)
	assert.NotSame(t, left, all.take("GPU-left", now), "the one that was unused for the longest")
	now = now.Add(2 * forgetLedger)
	assert.Same(t, live, all.take("GPU-live", now), "in use all the time")
	assert.Len(t, all.byUUID, 2)

	for i := range 2 * maxLedgers {
		all.take("MIG-used-"+strconv.Itoa(i), now)
	}
	assert.Len(t, all.byUUID, maxLedgers, "even when all are in use")
	assert.Same(t, live, all.take("GPU-live", now))
}
