package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"cmp"
	"slices"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Identity is what is known of a target without asking it.
type Identity struct {
	Address string // host name or address
	Port    int64
	Service string      // service.name; empty: the engine's name
	Fleet   string      // empty: the model
	Role    string      // empty: not configured
	K8sRole string      // that the pod's labels tell; empty: none
	Host    string      // host.name; empty where the target is another host
	ID      string      // service.instance.id; empty: Address and Port
	Base    pcommon.Map // further attributes of every resource
}

// What follows host:port in the service.instance.id of a worker: its rank where the target has several, and its model where one rank
// serves several.
const (
	RankMark  = "/dp"
	ModelMark = "#"
)

// unknownService is the service.name of a target that has not shown an engine, as the semantic conventions want it.
const unknownService = "unknown_service"

// worker is one engine core: a data-parallel rank that serves a model.
type worker struct {
	key      groupKey
	resource pcommon.Resource
	groups   []*group
	streams  []*stream // of all groups, by family
	role     role
	// connected says that it moves KV between workers.
	connected bool
	missing   []dialect.Input // inputs that are off
}

// arrange makes workers of groups. A group that tells rank and model is a worker (where none tells a rank, one that tells the
// model, and the other way round). A group that tells less joins the worker it fits, and the target itself where it fits several:
// such series belong to the server in front of the ranks. One that fits none joins the only worker, unless that tells the same.
func (b *Book) arrange() {
	keys := b.present(b.workerKeys())
	ranks := make(map[string]bool)
	for _, k := range keys {
		ranks[k.rank] = true
	}
	b.several = b.several || len(ranks) > 1
	b.shared = &worker{resource: b.resource(groupKey{}, nil)}
	b.workers = make([]*worker, 0, len(keys))
	for _, k := range keys {
		b.workers = append(b.workers, &worker{key: k, groups: []*group{b.groups[k]}})
	}
	for _, key := range b.sortedKeys() {
		if slices.Contains(keys, key) || slices.Contains(b.succeeded, key) {
			continue
		}
		fits := fitting(keys, key)
		if len(fits) == 0 && !b.groups[key].engine {
			fits = fitting(keys, groupKey{rank: key.rank}) // what serves beside an engine may call the model otherwise
		}
		home := b.shared
		switch {
		case len(fits) == 1 || len(fits) > 1 && key.rank != "":
			home = b.workers[fits[0]]
		case len(keys) == 1 && !b.clash(b.workers[0], b.groups[key]):
			home = b.workers[0] // an engine that calls its model otherwise here
		}
		home.groups = append(home.groups, b.groups[key])
	}
	for _, w := range append(b.workers, b.shared) {
		w.gather()
	}
	for _, w := range b.workers {
		w.role = b.roleOf(w)
		w.resource = b.resource(w.key, w)
	}
	b.looked = 0
	b.changed = false
}

// present leaves out the workers that another model has succeeded on their rank, as after an engine was started again: they have one
// name, and the page has the new one only. Two models that are on one page serve side by side.
func (b *Book) present(keys []groupKey) []groupKey {
	first := make(map[string]groupKey) // on the page, by rank
	for _, k := range keys {
		if b.whole && !b.groups[k].since(b.read) || !b.whole && b.gone(keys, k) {
			continue
		}
		_, twice := first[k.rank]
		b.mixed = b.mixed || twice
		first[k.rank] = k
	}
	b.succeeded = b.succeeded[:0]
	if b.mixed {
		return keys
	}
	return slices.DeleteFunc(keys, func(k groupKey) bool {
		successor, ok := first[k.rank]
		if !ok || successor == k {
			return false
		}
		b.succeeded = append(b.succeeded, k)
		return true
	})
}

// gone reports whether another model came to the rank after this one was last seen. What is fed may be a part of what the target has, so
// that a model is not gone because it is not there; but it is once a later one is.
func (b *Book) gone(keys []groupKey, k groupKey) bool {
	return slices.ContainsFunc(keys, func(other groupKey) bool {
		return other.rank == k.rank && b.groups[other].came > b.groups[k].last
	})
}

// noteSeen notes which groups were fed. A model that comes back once was started again; of one that comes back again and again the parts
// arrive in turn with another's, and both serve.
func (b *Book) noteSeen() {
	for key, g := range b.groups {
		if !g.since(b.scrape) {
			continue
		}
		back := slices.Contains(b.succeeded, key)
		if g.came == 0 || back && !g.back {
			g.came = b.now.at
		}
		g.back = g.back || back
		g.last = b.now.at
	}
}

// returned reports whether a model that was succeeded is on the page.
func (b *Book) returned() bool {
	return slices.ContainsFunc(b.succeeded, func(k groupKey) bool { g := b.groups[k]; return g != nil && g.since(b.read) })
}

// clash reports whether a group would make points that the worker makes, too: it is of another model or rank then.
func (b *Book) clash(w *worker, other *group) bool {
	return slices.ContainsFunc(w.groups, func(g *group) bool {
		return slices.ContainsFunc(other.streams, func(s *stream) bool { return !b.yields(s.family) && s.in(g.streams) }) ||
			slices.ContainsFunc(other.infos, func(in *info) bool {
				return slices.ContainsFunc(g.infos, func(known *info) bool { return known.family == in.family })
			})
	})
}

// in reports whether one of the streams makes the same point.
func (s *stream) in(streams []*stream) bool {
	return slices.ContainsFunc(streams, func(known *stream) bool {
		return known.family.Metric.Name == s.family.Metric.Name && slices.Equal(known.attributes, s.attributes)
	})
}

// gather puts the streams of all groups in one order.
func (w *worker) gather() {
	w.streams = w.streams[:0]
	for _, g := range w.groups {
		for _, s := range g.streams {
			s.compact()
		}
		w.streams = append(w.streams, g.streams...)
	}
	w.connected = slices.ContainsFunc(w.streams, func(s *stream) bool { return s.family.Metric.Name == signal.KVTransferTime })
	slices.SortStableFunc(w.streams, func(a, b *stream) int { return cmp.Compare(a.family.Index, b.family.Index) })
}

// workerKeys returns the keys that are workers, in order. Where an engine is on the page, what serves beside it makes none.
func (b *Book) workerKeys() []groupKey {
	candidates := slices.DeleteFunc(b.sortedKeys(), func(k groupKey) bool { return !b.groups[k].engine })
	if len(candidates) == 0 {
		candidates = b.sortedKeys()
	}
	for _, full := range []func(groupKey) bool{
		func(k groupKey) bool { return k.rank != "" && k.model != "" },
		func(k groupKey) bool { return k.model != "" },
		func(k groupKey) bool { return k.rank != "" },
	} {
		keys := slices.DeleteFunc(slices.Clone(candidates), func(k groupKey) bool { return !full(k) })
		if len(keys) > 0 {
			return keys
		}
	}
	return candidates // at most the one of an engine that tells neither
}

func (b *Book) sortedKeys() []groupKey {
	keys := make([]groupKey, 0, len(b.groups))
	for k := range b.groups {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b groupKey) int {
		return cmp.Or(cmp.Compare(len(a.rank), len(b.rank)), cmp.Compare(a.rank, b.rank), cmp.Compare(a.model, b.model))
	})
	return keys
}

// fitting returns the indexes of the keys that agree with all that key tells.
func fitting(keys []groupKey, key groupKey) []int {
	var fits []int
	for i, k := range keys {
		if (key.rank == "" || key.rank == k.rank) && (key.model == "" || key.model == k.model) {
			fits = append(fits, i)
		}
	}
	return fits
}

// resource builds the resource of a worker, or of the target itself. The latter names no engine where the target has workers, so
// that nobody takes it for one.
func (b *Book) resource(key groupKey, w *worker) pcommon.Resource {
	r := pcommon.NewResource()
	id, a, isWorker := b.set.Identity, r.Attributes(), w != nil
	if id.Base != (pcommon.Map{}) {
		id.Base.CopyTo(a)
	}
	instance := id.Instance()
	if isWorker && b.several && key.rank != "" {
		instance += RankMark + key.rank
	}
	if isWorker && b.mixed && key.model != "" {
		instance += ModelMark + key.model
	}
	service := cmp.Or(id.Service, unknownService)
	if len(b.groups) > 0 {
		service = cmp.Or(id.Service, b.Engine())
	}
	a.PutStr(signal.AttrServiceName, service)
	a.PutStr(signal.AttrServiceInstanceID, instance)
	put := func(name, value string) {
		if value != "" {
			a.PutStr(name, value)
		}
	}
	if isWorker {
		// What watches engines is no worker, and must not be added to those it watches.
		if observer := b.engine.Observer(); observer != "" {
			put(signal.AttrObserver, observer)
		} else {
			put(signal.AttrEngineName, b.Engine())
		}
		put(signal.AttrRole, b.settled(w))
	}
	put(signal.AttrModel, key.model)
	put(signal.AttrFleetName, cmp.Or(id.Fleet, key.model))
	put(signal.AttrHostName, id.Host)
	put(signal.AttrServerAddress, id.Address)
	if id.Port != 0 {
		a.PutInt(signal.AttrServerPort, id.Port)
	}
	return r
}

// Instance returns the identity of the target, host:port as a rule.
func (id Identity) Instance() string {
	if id.ID != "" {
		return id.ID
	}
	address := id.Address
	if slices.Contains([]byte(address), ':') {
		address = "[" + address + "]"
	}
	return address + ":" + strconv.FormatInt(id.Port, 10)
}
