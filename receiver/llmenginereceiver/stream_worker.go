package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"cmp"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// unknownService is the service.name of a worker whose engine is not known, as the semantic conventions want it.
	unknownService = "unknown_service"
	// patientTicks is for how many intervals a worker that is also scraped waits for its page to say who it is.
	patientTicks = 3
)

// streamWorker is one data-parallel rank of an endpoint with streams.
type streamWorker struct {
	id      exposition.Identity
	rank    int
	ranks   int
	scraped bool
	kv      *kvStream   // or nil
	passes  *passStream // or nil

	mu       sync.Mutex
	resource pcommon.Resource // as the page tells it; of rank 0 where the page tells of no ranks
	learned  bool
	ticks    int
	reuse    coverage

	fleet    string // joined; the loop of the streams owns it
	withheld map[string]uint64
}

// learn takes what the page says of the worker, and the engine's counter of hit tokens.
func (w *streamWorker) learn(resource pcommon.Resource, own bool, hits float64, hasHits bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resource = pcommon.NewResource()
	resource.CopyTo(w.resource)
	if id, _ := resource.Attributes().Get(signal.AttrServiceInstanceID); !own && w.ranks > 1 {
		base, model, mixed := strings.Cut(id.Str(), exposition.ModelMark)
		base, _, _ = strings.Cut(base, exposition.RankMark)
		base += exposition.RankMark + strconv.Itoa(w.rank)
		if mixed {
			base += exposition.ModelMark + model
		}
		w.resource.Attributes().PutStr(signal.AttrServiceInstanceID, base)
	}
	w.learned = true
	if own && hasHits && w.kv != nil {
		if touched, started := w.kv.hitTokens(); started {
			w.reuse.update(hits, touched)
		}
	}
}

// identify returns the resource, or false while it is too early to say.
func (w *streamWorker) identify() (pcommon.Resource, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ticks++
	if w.learned {
		return w.resource, true
	}
	if w.scraped && w.ticks <= patientTicks {
		return pcommon.Resource{}, false
	}
	return w.configured(), true
}

// configured is the resource of a worker that no page tells of.
func (w *streamWorker) configured() pcommon.Resource {
	r := pcommon.NewResource()
	a := r.Attributes()
	instance := w.id.Instance()
	if w.id.Port == 0 {
		instance = w.id.Address
	}
	if w.ranks > 1 {
		instance += exposition.RankMark + strconv.Itoa(w.rank)
	}
	a.PutStr(signal.AttrServiceName, cmp.Or(w.id.Service, unknownService))
	a.PutStr(signal.AttrServiceInstanceID, instance)
	for _, kv := range [][2]string{{signal.AttrFleetName, w.id.Fleet}, {signal.AttrRole, w.id.Role}, {signal.AttrHostName, w.id.Host}} {
		if kv[1] != "" {
			a.PutStr(kv[0], kv[1])
		}
	}
	a.PutStr(signal.AttrServerAddress, w.id.Address)
	if w.id.Port != 0 {
		a.PutInt(signal.AttrServerPort, w.id.Port)
	}
	return r
}

// covered returns how much of the engine's hits the events show.
func (w *streamWorker) covered() (share float64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reuse.share()
}

// rankOf reads the rank from a service.instance.id.
func rankOf(instance string) (rank int, ok bool) {
	instance, _, _ = strings.Cut(instance, exposition.ModelMark)
	_, text, ok := strings.Cut(instance, exposition.RankMark)
	if !ok {
		return 0, false
	}
	rank, err := strconv.Atoi(text)
	return rank, err == nil
}
