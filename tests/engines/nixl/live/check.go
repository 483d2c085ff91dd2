package main

import (
	"fmt"
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// told is what the agents did, step by step, with what get_xfer_telemetry said.
type told struct {
	Version string `json:"version"`
	Steps   []struct {
		Op       string `json:"op"`
		Bytes    uint64 `json:"bytes"`
		Write    bool   `json:"write"`
		Post     uint64 `json:"post_us"`
		Duration uint64 `json:"duration_us"`
	} `json:"steps"`
}

// truth is that, added up. Both agents register the same memory; the passive one tells of nothing else.
type truth struct {
	sent, received   transfers
	registered, gone uint64
	errors           uint64
}

type transfers struct{ count, bytes, post, duration uint64 }

func (t *told) truth() (w truth) {
	for _, s := range t.Steps {
		switch s.Op {
		case "register":
			w.registered += 2 * s.Bytes
		case "deregister":
			w.gone += s.Bytes
		case "error":
			w.errors++
		case "transfer":
			d := &w.received
			if s.Write {
				d = &w.sent
			}
			d.count, d.bytes, d.post, d.duration = d.count+1, d.bytes+s.Bytes, d.post+s.Post, d.duration+s.Duration
		}
	}
	return w
}

// check compares.
type check struct {
	points points
	want   truth
	wrong  int
}

func (c *check) that(what string, ok bool) {
	verdict := "ok"
	if !ok {
		verdict = "WRONG"
		c.wrong++
	}
	fmt.Printf("  %-5s %s\n", verdict, what)
}

// equal holds whole numbers of unit (1, or a microsecond) to be the same.
func (c *check) equal(what string, want uint64, got, unit float64) {
	whole := math.Round(got / unit)
	c.that(fmt.Sprintf("%s: agents %d, receiver %.0f", what, want, whole), whole == float64(want))
}

const microsecond = 1e-6

func (c *check) totals() {
	direction := func(d string) map[string]any { return map[string]any{signal.AttrNetDirection: d} }
	for d, w := range map[string]transfers{signal.DirectionTransmit: c.want.sent, signal.DirectionReceive: c.want.received} {
		c.equal("transfers, "+d, w.count, c.points.value(signal.NIXLTransferCount, direction(d)), 1)
		c.equal("bytes, "+d, w.bytes, c.points.value(signal.NIXLTransferIO, direction(d)), 1)
	}
	c.equal("busy microseconds", c.want.sent.duration+c.want.received.duration, c.points.value(signal.NIXLBusyTime, nil), microsecond)
	c.equal("bytes registered", c.want.registered, c.points.value(signal.NIXLMemoryRegister, nil), 1)
	c.equal("bytes deregistered", c.want.gone, c.points.value(signal.NIXLMemoryRelease, nil), 1)
	c.equal("errors", c.want.errors, c.points.value(signal.NIXLErrors, map[string]any{signal.AttrErrorType: "not_found"}), 1)
	c.equal("events dropped", 0, c.points.value(signal.NIXLEventsDropped, nil), 1)
}

// histograms of a ring tell the direction, those of a store do not.
func (c *check) histograms(store bool) {
	sent, received := c.want.sent, c.want.received
	all := transfers{
		sent.count + received.count, sent.bytes + received.bytes, sent.post + received.post, sent.duration + received.duration,
	}
	count, sum := c.points.both(signal.NIXLTransferPost, nil)
	c.equal("transfers with a time to post", all.count, count, 1)
	c.equal("microseconds to post", all.post, sum, microsecond)
	if store {
		count, sum = c.points.both(signal.NIXLTransferTime, nil)
		c.equal("transfers with a duration", all.count, count, 1)
		c.equal("microseconds of duration", all.duration, sum, microsecond)
		return
	}
	for d, w := range map[string]transfers{signal.DirectionTransmit: sent, signal.DirectionReceive: received} {
		of := map[string]any{signal.AttrNetDirection: d}
		count, sum := c.points.both(signal.NIXLTransferTime, of)
		c.equal("transfers with a duration, "+d, w.count, count, 1)
		c.equal("microseconds of duration, "+d, w.duration, sum, microsecond)
		count, sum = c.points.both(signal.NIXLTransferSize, of)
		c.equal("transfers with a size, "+d, w.count, count, 1)
		c.equal("bytes by size, "+d, w.bytes, sum, 1)
	}
}

// transport holds what was inferred against what UCX was allowed to use.
func (c *check) transport(r *reading, tls string) {
	want := signal.TransportLocal
	if tls == "tcp" {
		want = signal.TransportTCP
	}
	seen := r.transports()
	fmt.Printf("        transports told: %v\n", seen)
	for told := range seen {
		if told.transport != want && told.transport != signal.TransportUnknown {
			c.that(fmt.Sprintf("%s never tells %s", told.evidence, told.transport), false)
		}
	}
	c.that("bytes of links tell "+want, seen[sighting{want, signal.EvidenceCounters}] > 0)
	c.that("the table of UCX tells "+want, seen[sighting{want, signal.EvidenceLog}] > 0)
}

func (c *check) end(version string, n int) error {
	if c.wrong > 0 {
		return fmt.Errorf("NIXL %s, %d transfers: %d differences", version, n, c.wrong)
	}
	fmt.Printf("NIXL %s: %d transfers, all the same\n", version, n)
	return nil
}
