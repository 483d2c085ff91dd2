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
		"and CAP_DAC_READ_SEARCH (privileges.conf of the packages), run it as the engines' user, or name them under endpoints of llm_engine; " +
		"those that another receiver scrapes belong under scraped_elsewhere"
	hintHidden = "Processes of other users are hidden from the collector (hidepid of /proc), so that nobody knows whether engines are among them: " +
		"make it a member of the group that /proc is mounted with, or name engines under endpoints of llm_engine"
	hintProxied = "Engines run in containers, and it is docker-proxy who listens for them on this host: name http://localhost:PORT under endpoints of " +
		"llm_engine, PORT being the published one; those that another receiver scrapes belong under scraped_elsewhere"
)

// scrapedPorts counts the endpoints that receivers scrape: those of this host by their port alone, others by their address. It is safe for
// concurrent use.
type scrapedPorts struct {
	mu sync.Mutex
	n  map[netip.AddrPort]int
}

func newScrapedPorts() *scrapedPorts { return &scrapedPorts{n: make(map[netip.AddrPort]int)} }

// ofHost is how a port of this host is counted.
func ofHost(port int) netip.AddrPort { return netip.AddrPortFrom(netip.Addr{}, uint16(port)) }

func (p *scrapedPorts) add(at netip.AddrPort, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n[at] += n; p.n[at] <= 0 {
		delete(p.n, at)
	}
}

func (p *scrapedPorts) has(at netip.AddrPort) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n[at] > 0
}

// unseen tells of engines that run on this host and that host discovery cannot find. It asks none of them anything. Its loop owns it.
type unseen struct {
	host      *host
	clock     clock
	ports     *scrapedPorts
	elsewhere []int // ports of this host that something else scrapes
	launches  []launch
	logger    *zap.Logger
	hostname  string
	version   string // of the collector

	looked time.Time
	hints  []string // empty where nothing is missing
	ended  []string // hints that were told and hold no more
	logged string
}

// run looks every kinEvery and tells at each interval what it found last, until ctx ends. The first time is after an interval, when other
// receivers have begun.
func (u *unseen) run(ctx context.Context, interval time.Duration, deliver func(context.Context, pmetric.Metrics)) {
	ticks, stop := u.clock.Ticks(interval)
	defer stop()
	tell := func(ctx context.Context, now time.Time) {
		if len(u.hints)+len(u.ended) > 0 {
			deliver(ctx, u.points(now))
		}
		u.ended = nil
	}
	defer func() { // what was told would stay where its last point is kept
		u.hints, u.ended = nil, u.hints
		tell(context.WithoutCancel(ctx), u.clock.Now())
	}()
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
		tell(ctx, now)
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
	before := u.hints
	u.hints = found.hints()
	if len(u.hints) == 0 && u.hidden(table) {
		u.hints = []string{hintHidden}
	}
	for _, hint := range before {
		if !slices.Contains(u.hints, hint) {
			u.ended = append(u.ended, hint)
		}
	}
	named := slices.Concat(found.undiscovered, found.proxied)
	if what := strings.Join(slices.Concat(u.hints, named), ","); what != u.logged {
		u.logged = what
		if len(u.hints) > 0 {
			u.logger.Warn("Engines of this host cannot be found", zap.Strings("engines", shortList(named)), zap.Strings("cure", u.hints))
		}
	}
}

// unfound are engines that serve a page, by what keeps discovery from finding them.
type unfound struct{ undiscovered, proxied []string }

func (f unfound) hints() (all []string) {
	if len(f.undiscovered) > 0 {
		all = append(all, hintUndiscovered)
	}
	if len(f.proxied) > 0 {
		all = append(all, hintProxied)
	}
	return all
}

// find names the engines whose page somebody serves, out of sight or behind docker-proxy, and that nobody scrapes. Of those in sight only
// the latter are looked for, where there is one.
func (u *unseen) find(table *hostproc.Table) (found unfound) {
	named := make(map[int]bool) // ports: what started an engine has the same command
	proxies := table.Proxies(u.host.reader)
	pids := table.Hidden()
	if len(proxies) > 0 {
		pids = table.Processes()
	}
	for _, pid := range pids {
		command := strings.Join(u.host.reader.Command(pid), " ")
		for i := range u.launches {
			port, ok := u.launches[i].page(command)
			if !ok {
				continue
			}
			if at := u.behind(proxies, pid, port); at != nil {
				if !named[at.Port] && !u.scraped(at.Port) && !u.ports.has(at.Container) {
					named[at.Port] = true
					found.proxied = append(found.proxied, fmt.Sprintf("%s on port %d, process %d", u.launches[i].engine, at.Port, pid))
				}
				continue
			}
			if named[port] || u.scraped(port) || !slices.Contains(table.Hidden(), pid) || !table.Shares(u.host.reader, pid, port) {
				continue
			}
			if holders, listens := table.Listening(netip.Addr{}, port); listens && len(holders) == 0 {
				named[port] = true
				found.undiscovered = append(found.undiscovered, fmt.Sprintf("%s on port %d, process %d", u.launches[i].engine, port, pid))
			}
		}
	}
	slices.Sort(found.undiscovered)
	slices.Sort(found.proxied)
	return found
}

// behind returns the port of the host at which Docker serves a port of a process's container: one that is scraped where there are several.
// It is nil where there is none.
func (u *unseen) behind(proxies []hostproc.Proxy, pid, port int) (at *hostproc.Proxy) {
	for i := range proxies {
		p := &proxies[i]
		if int(p.Container.Port()) == port && u.host.reader.HasAddress(pid, p.Container.Addr()) && (at == nil || u.scraped(p.Port)) {
			at = p
		}
	}
	return at
}

// scraped reports whether somebody scrapes a port of this host.
func (u *unseen) scraped(port int) bool {
	return u.ports.has(ofHost(port)) || slices.Contains(u.elsewhere, port)
}

// hidden reports whether others' processes are not even listed: every PID namespace has a process 1. Without a listener whose holder is not
// known there is nothing to find.
func (u *unseen) hidden(table *hostproc.Table) bool {
	_, first := table.Process(1)
	return !first && table.Orphaned(func(port int) bool { return !u.scraped(port) })
}

// points tells each hint, and ends those that hold no more.
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
	point := func(hint string) pmetric.NumberDataPoint {
		p := out.number(signal.SourceMissing, signal.AttrSource, signal.SourceDiscovery)
		p.Attributes().PutStr(signal.AttrSourceHint, hint)
		return p
	}
	for _, hint := range u.hints {
		point(hint).SetDoubleValue(1)
	}
	for _, hint := range u.ended {
		point(hint).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	}
	return md
}
