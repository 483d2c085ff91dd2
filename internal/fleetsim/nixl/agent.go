package nixl

import (
	"fmt"
	"path"
	"sync"
	"time"
)

// Telemetry is what an agent of NIXL has of it, whichever exporter is behind. Transfer, Register, Deregister and Error may be
// called from any goroutine.
type Telemetry interface {
	// Transfer tells of a transfer that this agent began and saw complete.
	Transfer(Transfer)
	// Register tells of memory registered in one call, in bytes summed over the descriptors.
	Register(bytes uint64)
	// Deregister tells of memory given up in one call.
	Deregister(bytes uint64)
	// Error tells of one error. Those that the library never counts leave no trace, unless Options.AllErrors.
	Error(Status)
	// Flush exports what is staged once an interval has passed since the last time, else does nothing.
	Flush(now time.Time)
	// Counts says what became of the events so far.
	Counts() Counts
	// Path is the file.
	Path() string
	// Close ends the agent in order. Events staged but not flushed are lost, as in every release since 0.9.
	Close() error
	// Kill ends the agent as SIGKILL would: nothing is exported or synced, what is in the file stays.
	Kill() error
}

// Counts says what became of the events. Offered + synthetic = StagingDropped + Written + Lost + still staged, where synthetic are
// the events that tell of StagingDropped.
type Counts struct {
	Offered        uint64 // by the agent, after the filter of metrics
	StagingDropped uint64 // the staging queue was full
	Written        uint64
	Lost           uint64 // the ring was full, or the agent ended first; no telemetry tells of these
}

// defaultInterval is NIXL_TELEMETRY_RUN_INTERVAL when unset.
const defaultInterval = 100 * time.Millisecond

// Bounds on the memory of one agent, in events; the library has none of them.
const (
	maxEvents        = 1 << 24 // of what can be asked for
	unboundedStaging = 1 << 20 // where the library's queue grows for ever
)

// sink is the exporter behind an agent. It is used by one goroutine at a time.
type sink interface {
	// export says whether the event found room.
	export(event) bool
	close() error
	kill() error
}

// agent stages events and hands them to the sink.
type agent struct {
	path     string
	form     layout
	clock    func() time.Time
	interval time.Duration
	flushEnd bool
	all      bool
	enabled  func(EventType) bool
	staging  staging

	mu      sync.Mutex
	sink    sink // nil once ended
	next    time.Time
	stalled bool
	written uint64
	lost    uint64
}

func (a *agent) Path() string { return a.path }

func (a *agent) Transfer(t Transfer) {
	size, requests := RxBytes, RxRequests
	if t.Write {
		size, requests = TxBytes, TxRequests
	}
	posted := a.stamp()
	e := [4]event{{kind: XferPostTime, value: uint64(t.Post.Microseconds()), at: posted}}
	if !a.form.batched {
		a.stage(e[:1])
	}
	done := a.stamp()
	e[1] = event{kind: XferTime, value: uint64(t.Duration.Microseconds()), at: done}
	e[2] = event{kind: size, value: t.Bytes, at: done}
	e[3] = event{kind: requests, value: 1, at: done}
	if !a.form.batched {
		a.stage(e[1:])
		return
	}
	a.stage(e[:])
}

func (a *agent) Register(bytes uint64) { a.one(MemoryRegistered, bytes) }

func (a *agent) Deregister(bytes uint64) { a.one(MemoryDeregistered, bytes) }

func (a *agent) Error(s Status) {
	if s.valid() && (a.all || s.Reported()) {
		a.one(s.event(), 1)
	}
}

func (a *agent) one(k EventType, value uint64) {
	e := [1]event{{kind: k, value: value, at: a.stamp()}}
	a.stage(e[:])
}

// stamp reads the clock where the layout has a place for it.
func (a *agent) stamp() int64 {
	if !a.form.timed {
		return 0
	}
	return a.clock().UnixMicro()
}

// stage queues the enabled ones of events, in place.
func (a *agent) stage(events []event) {
	n := 0
	for _, e := range events {
		if a.enabled == nil || a.enabled(e.kind) {
			events[n] = e
			n++
		}
	}
	if n > 0 {
		a.staging.push(events[:n])
	}
}

func (a *agent) Flush(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sink == nil || a.stalled || now.Before(a.next) {
		return
	}
	a.next = now.Add(a.interval)
	a.export()
}

// export drains the queue into the sink. The caller holds the lock.
func (a *agent) export() {
	events, dropped := a.staging.drain()
	for _, e := range events {
		a.exportOne(e)
	}
	if dropped > 0 && a.form.batched && (a.enabled == nil || a.enabled(EventsDropped)) {
		a.exportOne(event{kind: a.form.dropped, value: dropped})
	}
}

func (a *agent) exportOne(e event) {
	if a.sink.export(e) {
		a.written++
		return
	}
	a.lost++
}

func (a *agent) Counts() Counts {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.staging.mu.Lock()
	defer a.staging.mu.Unlock()
	return Counts{Offered: a.staging.offered, StagingDropped: a.staging.refused, Written: a.written, Lost: a.lost}
}

func (a *agent) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sink == nil {
		return nil
	}
	if a.flushEnd {
		a.export()
	}
	return a.end(a.sink.close)
}

func (a *agent) Kill() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sink == nil {
		return nil
	}
	return a.end(a.sink.kill)
}

// end loses what is staged.
func (a *agent) end(release func() error) error {
	a.lost += uint64(a.staging.close())
	a.sink = nil
	if err := release(); err != nil {
		return fmt.Errorf("end of %s: %w", a.path, err)
	}
	return nil
}

// enabledMetrics is NIXL_TELEMETRY_ENABLED_METRICS: an event is kept if a glob matches its name. No glob keeps all.
func enabledMetrics(globs []string) (func(EventType) bool, error) {
	if len(globs) == 0 {
		return nil, nil
	}
	var keep [EventsDropped + 1]bool
	for _, glob := range globs {
		for k := range keep {
			ok, err := path.Match(glob, EventType(k).name())
			if err != nil {
				return nil, fmt.Errorf("metrics: %q: %w", glob, err)
			}
			keep[k] = keep[k] || ok
		}
	}
	return func(k EventType) bool { return int(k) >= len(keep) || keep[k] }, nil
}
