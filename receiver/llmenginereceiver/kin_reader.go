package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// kinEvery is how often the processes of an engine are looked for while nothing says that they changed.
const kinEvery = time.Minute

// kinReader looks for the processes behind a local endpoint, beside the scrapes. The target's loop owns it; a nil one looks for nothing.
type kinReader struct {
	host    *host
	clock   clock
	address netip.Addr // not valid where the endpoint has a name
	port    int
	quiet   bool // somebody else tells of the processes
	spawn   func(func())

	known   kin
	told    bool      // the known engine's own publication of KV events, in the place of a flag
	since   time.Time // the engine answers; who was there before may be gone
	asked   time.Time
	asking  bool
	answers chan kin // one place; an answer never waits
}

func newKinReader(h *host, c clock, u *url.URL, connected []string, spawn func(func())) *kinReader {
	port, _ := strconv.Atoi(u.Port()) // checked by parseEndpoint
	address, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		address = netip.Addr{}
	}
	return &kinReader{
		host: h, clock: c, address: address, port: port, quiet: slices.Contains(connected, signal.SourceProcesses), spawn: spawn,
		answers: make(chan kin, 1),
	}
}

// want looks anew: the engine was started again. What was found is of processes that are no more.
func (k *kinReader) want() {
	if k != nil {
		k.known, k.asked, k.since, k.told = kin{}, time.Time{}, k.clock.Now(), false
	}
}

// ask looks if it is time to and no look is under way.
func (k *kinReader) ask() {
	if k == nil || k.asking {
		return
	}
	now, since := k.clock.Now(), k.since
	if !k.asked.IsZero() && now.Sub(k.asked) < kinEvery {
		return
	}
	k.asking, k.asked = true, now
	k.spawn(func() {
		table, err := k.host.look(k.clock, since)
		if err != nil { // no /proc: nothing is in sight
			k.answers <- kin{hint: hintPrivileges}
			return
		}
		k.answers <- findKin(table, k.host.reader, k.address, k.port)
	})
}

// write adds the processes of each worker to the points of a page.
func (k *kinReader) write(md pmetric.Metrics, now time.Time) {
	if k == nil {
		return
	}
	first := false
	select {
	case k.known = <-k.answers:
		k.asking, first = false, !k.told
	default:
	}
	for _, rm := range md.ResourceMetrics().All() {
		if !isEngine(rm.Resource()) {
			continue
		}
		instance, _ := rm.Resource().Attributes().Get(signal.AttrServiceInstanceID)
		rank, ranked := rankOf(instance.Str())
		processes, hint := k.known.of(rank, ranked)
		out := &pointWriter{table: k.host.metrics, metrics: rm.ScopeMetrics().At(0).Metrics(), now: pcommon.NewTimestampFromTime(now)}
		for _, p := range processes {
			point := out.number(signal.EngineProcessInfo, signal.AttrProcessExecutable, p.Name)
			point.Attributes().PutInt(signal.AttrProcessPID, int64(p.PID))
			point.SetDoubleValue(1)
		}
		if hint != "" && !k.quiet {
			point := out.number(signal.SourceMissing, signal.AttrSource, signal.SourceProcesses)
			point.Attributes().PutStr(signal.AttrSourceHint, hint)
			point.SetDoubleValue(1)
		}
		if k.known.publishes {
			correct(rm.ScopeMetrics().At(0).Metrics(), k.known.publication.hint(len(k.known.ranks)), first)
			k.told = true
		}
	}
}
