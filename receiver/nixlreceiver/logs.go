package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"maps"
	"slices"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"
	"github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/ucxlog"
)

// sightings are what engine logs said last, by log, process and agent. UCX prints a choice once, when it connects, so that one stays
// while its agent lives; one that belongs to nobody is kept for stale_after.
type sightings struct {
	last map[sighting]ucxlog.Choice
	told map[sighting]bool // to an agent, at the collection before
}

type sighting struct {
	log   string
	agent string // "" where the log names none
	pid   int    // as the process knows itself
	write bool
	// An agent has a choice for each kind of peer: one over TCP is not less so for another within the host.
	transport ucxlog.Transport
}

// maxSightings bounds them; an engine's agent has two.
const maxSightings = 4096

func (x *sightings) add(choices []ucxlog.Choice, now time.Time) {
	if x.last == nil {
		x.last = make(map[sighting]ucxlog.Choice)
	}
	for _, c := range choices {
		if c.Time.After(now) {
			c.Time = now
		}
		x.last[sighting{log: c.Log, agent: c.Agent, pid: c.PID, write: c.Write, transport: c.Transport}] = c
	}
	if len(x.last) <= maxSightings {
		return
	}
	oldest := slices.SortedFunc(maps.Keys(x.last), func(a, b sighting) int { return x.last[a].Time.Compare(x.last[b].Time) })
	for _, key := range oldest[:len(oldest)-maxSightings] {
		delete(x.last, key)
	}
}

// match gives each living agent what was said of it, and forgets what was said of agents and in logs that are gone.
func (x *sightings) match(agents []*agent, f *owner.Finder, follows func(log string) bool, now time.Time, stale time.Duration) map[*agent][]sighting {
	maps.DeleteFunc(x.last, func(key sighting, _ ucxlog.Choice) bool { return !follows(key.log) })
	if len(x.last) == 0 {
		return nil
	}
	byAgent, byPID := make(map[string][]sighting), make(map[int][]sighting)
	for key := range x.last {
		if key.agent == "" {
			byPID[key.pid] = append(byPID[key.pid], key)
		} else {
			byAgent[key.agent] = append(byAgent[key.agent], key)
		}
	}
	lives, shared := owners(agents, f)
	found, told := make(map[*agent][]sighting), make(map[sighting]bool)
	for _, a := range agents {
		if a.state == down {
			continue
		}
		var life *process
		if a.owner != nil {
			p := lives[a.owner.PID]
			life = &p
		}
		for _, write := range []bool{true, false} {
			keys := x.latest(byAgent[a.name], write, life)
			if len(keys) == 0 && life != nil && len(shared[life.inner]) == 1 {
				keys = x.only(byPID[life.inner], write, life)
			}
			for _, key := range keys {
				found[a], told[key] = append(found[a], key), true
			}
		}
	}
	maps.DeleteFunc(x.last, func(key sighting, c ucxlog.Choice) bool {
		return !told[key] && (x.told[key] || now.Sub(c.Time) >= stale)
	})
	x.told = told
	return found
}

// process is what a log may be held against: the number that a process knows itself by, and since when it runs.
type process struct {
	inner int
	began time.Time // zero when not known
}

// owners are the processes of agents by their number here, and by their own number those that share it, each in its namespace.
func owners(agents []*agent, f *owner.Finder) (lives map[int]process, shared map[int][]int) {
	lives, shared = make(map[int]process), make(map[int][]int)
	for _, a := range agents {
		if a.owner == nil || a.state == down {
			continue
		}
		if _, known := lives[a.owner.PID]; known {
			continue
		}
		p := process{inner: f.InnerPID(a.owner.PID), began: f.Began(*a.owner)}
		lives[a.owner.PID] = p
		shared[p.inner] = append(shared[p.inner], a.owner.PID)
	}
	return lives, shared
}

// by says whether the process can have written what a key stands for.
func (x *sightings) by(p *process, key sighting) bool {
	const clock = 2 * time.Second // the kernel tells the time of its boot in whole seconds
	return p == nil || key.pid == p.inner && !x.last[key].Time.Before(p.began.Add(-clock))
}

// latest returns the choices of the process that spoke last.
func (x *sightings) latest(keys []sighting, write bool, p *process) []sighting {
	keys = x.choices(keys, write, p)
	if len(keys) == 0 {
		return nil
	}
	best := slices.MaxFunc(keys, func(a, b sighting) int { return x.last[a].Time.Compare(x.last[b].Time) })
	return slices.DeleteFunc(keys, func(key sighting) bool { return key.log != best.log || key.pid != best.pid })
}

// only returns the choices of the one process that there is: those in several logs are of processes in several namespaces.
func (x *sightings) only(keys []sighting, write bool, p *process) []sighting {
	keys = x.choices(keys, write, p)
	if slices.ContainsFunc(keys, func(key sighting) bool { return key.log != keys[0].log }) {
		return nil
	}
	return keys
}

// choices are those of the keys that the process can have written, one for each transport.
func (x *sightings) choices(keys []sighting, write bool, p *process) (mine []sighting) {
	for _, key := range keys {
		if key.write == write && x.by(p, key) {
			mine = append(mine, key)
		}
	}
	return mine
}

// tell writes what the logs said of one agent.
func (x *sightings) tell(s *sheet, keys []sighting) {
	for _, key := range keys {
		s.sighted(x.last[key])
	}
}

// rest tells of the agents that have no telemetry, together.
func (x *sightings) rest(s *sheet) {
	told := make(map[[2]string]bool)
	for key, c := range x.last {
		pair := [2]string{string(c.Transport), direction(c.Write)}
		if !x.told[key] && !told[pair] {
			told[pair] = true
			s.sighted(c)
		}
	}
}

func (s *sheet) sighted(c ucxlog.Choice) {
	s.gauge(signal.NIXLTransport, signal.AttrTransport, string(c.Transport), signal.AttrEvidence, signal.EvidenceLog,
		signal.AttrNetDirection, direction(c.Write)).SetIntValue(1)
}

func direction(write bool) string {
	if write {
		return signal.DirectionTransmit
	}
	return signal.DirectionReceive
}
