package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver/internal/metadata"
)

// What helps where discovery by command lines cannot find an engine.
const (
	hintUndiscovered = "Engines of other users run on this host, and discovery cannot see that it is they who listen: give the collector CAP_SYS_PTRACE " +
		"and CAP_DAC_READ_SEARCH (privileges.conf of the packages), run it as the engines' user, or name them under endpoints of llm_engine"
	hintHidden = "Processes of other users are hidden from the collector (hidepid of /proc), so that nobody knows whether engines are among them: " +
		"make it a member of the group that /proc is mounted with, or name engines under endpoints of llm_engine"
)

// localPorts counts the endpoints of this host that receivers scrape. It is safe for concurrent use.
type localPorts struct {
	mu sync.Mutex
	n  map[int]int
}

func newLocalPorts() *localPorts { return &localPorts{n: make(map[int]int)} }

func (p *localPorts) add(port, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n[port] += n; p.n[port] <= 0 {
		delete(p.n, port)
	}
}

func (p *localPorts) has(port int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n[port] > 0
}

// unseen tells of engines that run on this host and that host discovery cannot find for want of privileges. It asks none of them anything.
// Its loop owns it.
type unseen struct {
	host     *host
	clock    clock
	ports    *localPorts
	launches []launch
	logger   *zap.Logger
	hostname string
	version  string // of the collector

	looked time.Time
	hint   string // empty where nothing is missing
	logged string
}

// run looks every kinEvery and tells at each interval what it found last, until ctx ends. The first time is after an interval, when other
// receivers have begun.
func (u *unseen) run(ctx context.Context, interval time.Duration, deliver func(context.Context, pmetric.Metrics)) {
	ticks, stop := u.clock.Ticks(interval)
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
		now := u.clock.Now()
		if u.looked.IsZero() || now.Sub(u.looked) >= kinEvery {
			u.look(now)
		}
		if u.hint != "" {
			deliver(ctx, u.points(now))
		}
	}
}

// look finds what is missing now, and logs it when it changed.
func (u *unseen) look(now time.Time) {
	u.looked = now
	table, err := u.host.look(u.clock, time.Time{})
	if err != nil {
		u.logger.Debug("The processes of this host cannot be read", zap.Error(err))
		return
	}
	found := u.find(table)
	u.hint = ""
	switch {
	case len(found) > 0:
		u.hint = hintUndiscovered
	case u.hidden(table):
		u.hint = hintHidden
	}
	if what := u.hint + strings.Join(found, ","); what != u.logged {
		u.logged = what
		if u.hint != "" {
			u.logger.Warn("Engines of other users cannot be found", zap.Strings("engines", shortList(found)), zap.String("cure", u.hint))
		}
	}
}

// find names the engines whose page somebody serves, out of sight, at a port that nobody scrapes.
func (u *unseen) find(table *hostproc.Table) (all []string) {
	named := make(map[int]bool) // ports: what started an engine has the same command
	for _, pid := range table.Hidden() {
		command := strings.Join(u.host.reader.Command(pid), " ")
		for i := range u.launches {
			port, ok := u.launches[i].page(command)
			if !ok || named[port] || u.ports.has(port) {
				continue
			}
			if holders, listens := table.Listening(netip.Addr{}, port); listens && len(holders) == 0 {
				named[port] = true
				all = append(all, fmt.Sprintf("%s on port %d, process %d", u.launches[i].engine, port, pid))
			}
		}
	}
	slices.Sort(all)
	return all
}

// hidden reports whether others' processes are not even listed: every PID namespace has a process 1. Without a listener whose holder is not
// known there is nothing to find.
func (u *unseen) hidden(table *hostproc.Table) bool {
	_, first := table.Process(1)
	return !first && table.Orphaned(func(port int) bool { return !u.ports.has(port) })
}

func (u *unseen) points(now time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	if u.hostname != "" {
		rm.Resource().Attributes().PutStr(signal.AttrHostName, u.hostname)
	}
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(metadata.ScopeName)
	sm.Scope().SetVersion(u.version)
	out := &pointWriter{table: u.host.metrics, metrics: sm.Metrics(), now: pcommon.NewTimestampFromTime(now)}
	p := out.number(signal.SourceMissing, signal.AttrSource, signal.SourceDiscovery)
	p.Attributes().PutStr(signal.AttrSourceHint, u.hint)
	p.SetDoubleValue(1)
	return md
}
