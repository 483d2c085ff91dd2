package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"
)

// liveness of an agent.
type liveness int

const (
	unknown liveness = iota
	up
	down
)

// agent is one file of telemetry, a ring or a store, and what is known of who writes it.
type agent struct {
	ring  *nixl.Ring  // nil for a store
	store *nixl.Store // nil for a ring
	path  string
	info  fileStamp

	name      string // as NIXL has it
	localRank string
	life
	first      time.Time // when it was first seen
	restarts   uint64
	contention uint64

	owner     *owner.Process // nil while not known
	state     liveness
	downSince time.Time
	unlinked  bool // the name is gone

	slot     int // with slots in the place of names; else noSlot
	resource pcommon.Map
	emitted  bool   // the resource is fixed
	looked   bool   // the owner was looked for
	muted    bool   // another agent has its slot
	failing  bool   // it could not be read the last time
	moving   bool   // it moved bytes before the last collection
	saved    uint64 // events read when it was last saved

	policy policy
}

// life is what is counted from the start of an agent to its end.
type life struct {
	start       time.Time
	tally       *nixl.Tally    // of a ring
	snapshot    *nixl.Snapshot // of a store; nil before the first
	ringFull    uint64
	overwritten uint64
	lastEvent   time.Time
	usage       float64 // largest share of the ring that waited, since the last collection
	told        traffic // at the last collection
	collected   bool    // there was one
	spent       spent   // until then
}

// traffic is bytes by direction.
type traffic struct{ transmit, receive uint64 }

func newRingAgent(r *nixl.Ring, info fileStamp, now time.Time) *agent {
	a := &agent{ring: r, path: r.Path(), info: info, name: filepath.Base(r.Path()), first: now, slot: noSlot}
	a.policy.since = now
	a.begin(now)
	return a
}

func newStoreAgent(s *nixl.Store, snapshot *nixl.Snapshot, info fileStamp, now time.Time) *agent {
	a := &agent{
		store: s, path: s.Path(), info: info, name: snapshot.Agent, localRank: snapshot.LocalRank, first: now, slot: noSlot,
	}
	a.begin(now)
	// The counters of a store began with its process.
	if made := time.Unix(0, int64(s.Name().RunMarker)); made.Before(now) && now.Sub(made) < maxAge {
		a.start = made
	}
	a.snapshot = snapshot
	return a
}

// maxAge is how old an agent can be; beyond it, its clock was wrong.
const maxAge = 366 * 24 * time.Hour

// begin starts a life.
func (a *agent) begin(now time.Time) {
	a.life = life{start: now, lastEvent: now}
	if a.ring != nil {
		a.tally = nixl.NewTally(a.ring.Geometry().Layout)
	}
	a.owner, a.state, a.emitted, a.muted, a.saved = nil, unknown, false, false, notSaved
}

// evicted ends what was told under the agent's slot. In its next slot it begins anew, or that would be told twice.
func (a *agent) evicted(now time.Time) {
	if a.ring == nil {
		return // a store has its counters from its process
	}
	who, state := a.owner, a.state
	a.begin(now)
	a.owner, a.state = who, state
}

// notSaved is how many events were read when an agent was last saved, if it never was.
const notSaved = 1<<64 - 1

// id is the file.
func (a *agent) id() nixl.FileID {
	if a.store != nil {
		return a.store.ID()
	}
	return a.ring.ID()
}

func (a *agent) source() string {
	if a.store != nil {
		return signal.NIXLSourceMultiproc
	}
	return signal.NIXLSourceBuffer
}

// rank is the number of the agent's process on its host, as NIXL has it or as its process says; "" where neither does.
func (a *agent) rank() string {
	if a.localRank == "" && a.owner != nil {
		return a.owner.LocalRank
	}
	return a.localRank
}

// moved is the traffic of this life.
func (a *agent) moved() traffic {
	s := a.sums()
	return traffic{s[nixl.TxBytes], s[nixl.RxBytes]}
}

func (a *agent) sums() *nixl.Sums {
	if a.store != nil {
		return &a.snapshot.Sums
	}
	return &a.tally.Sums
}

// refresh reads a store; a ring is read by its polls. A store that cannot be read keeps what it told.
func (a *agent) refresh(now time.Time, monotonic int64) error {
	if a.store == nil {
		return nil
	}
	s, err := a.store.Read()
	if err != nil {
		return err
	}
	a.snapshot = s
	if age := s.Age(monotonic); age >= 0 && age < maxAge.Seconds() {
		a.lastEvent = now.Add(-time.Duration(age * float64(time.Second)))
	}
	return nil
}

func (a *agent) close() error {
	if a.store != nil {
		return a.store.Close()
	}
	return a.ring.Close()
}

// setState takes note of whether the agent lives.
func (a *agent) setState(s liveness, now time.Time) {
	if s == down && a.state != down {
		a.downSince = now
	}
	a.state = s
}

// polled says whether it is known what the file holds.
func (a *agent) polled() bool {
	return a.store != nil || a.policy.capacity != 0 || a.policy.events != 0
}

// presentable says whether there is something to tell. What a dead agent left behind empty is not, and neither is an agent that has
// been silent for long where nobody can say whether it lives: it is told of again when it tells something.
func (a *agent) presentable(now time.Time, staleAfter time.Duration) bool {
	return a.looked && !a.muted && a.polled() && !a.silent(now, staleAfter) && (a.emitted || a.state != down || !a.unwritten())
}

// silent says whether an agent may have ended long ago.
func (a *agent) silent(now time.Time, staleAfter time.Duration) bool {
	return a.state == unknown && now.Sub(a.lastEvent) >= staleAfter
}

// unwritten says whether the ring never told anything and waits with nothing.
func (a *agent) unwritten() bool {
	return a.ring != nil && a.policy.events == 0 && a.policy.waiting == 0
}
