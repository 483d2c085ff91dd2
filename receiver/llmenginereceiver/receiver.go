package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
	"github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver/internal/metadata"
)

// pooledBuffers is how many buffers of pages are kept between scrapes. Where more targets scrape at the same moment, others are made.
const pooledBuffers = 8

// engineReceiver runs one loop per target.
type engineReceiver struct {
	cfg        *Config
	set        receiver.Settings
	next       consumer.Metrics
	clock      clock
	dialects   *dialect.Set
	vocabulary *exposition.Vocabulary
	telemetry  *metadata.TelemetryBuilder
	obsreport  *receiverhelper.ObsReport
	hostname   string
	addresses  []netip.Addr // of this host
	shared
	scraped   []netip.AddrPort // endpoints, told to ports
	processes *host            // of this host; nil when they are not looked for

	streams *streams  // nil before Start
	tell    *reporter // nil before Start

	cancel context.CancelFunc // nil before Start
	client *http.Client
	loops  sync.WaitGroup
}

func newReceiver(set receiver.Settings, cfg *Config, next consumer.Metrics, c clock, common shared) (*engineReceiver, error) {
	dialects, vocabulary, err := common.tables.of(signal.Preset(cfg.Scrape.Preset))
	if err != nil {
		return nil, err
	}
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	obsreport, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: "http", LongLivedCtx: true, ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	hostname, err := os.Hostname()
	if err != nil {
		set.Logger.Debug("The host has no name, so host.name is left out", zap.Error(err))
	}
	return &engineReceiver{
		cfg: cfg, set: set, next: next, clock: c, dialects: dialects, telemetry: telemetry, obsreport: obsreport, hostname: hostname,
		vocabulary: vocabulary, addresses: ownAddresses(), shared: common,
	}, nil
}

// Start begins to scrape. An endpoint that does not answer is no error of Start.
func (r *engineReceiver) Start(ctx context.Context, host component.Host) error {
	clientConfig := r.cfg.ClientConfig
	clientConfig.Timeout = 0 // each request has its own deadline
	// The receiver counts its scrapes itself. Doing so again in the client would cost as much as the request, and would send trace
	// headers to engines.
	unmeasured := r.set.TelemetrySettings
	unmeasured.MeterProvider, unmeasured.TracerProvider = nil, nil
	client, err := clientConfig.ToClient(ctx, host.GetExtensions(), unmeasured)
	if err != nil {
		return err
	}
	client.CheckRedirect = sameHost
	endpoints := r.cfg.all()
	scraped := 0
	for _, e := range endpoints {
		if r.scrapes(e) {
			scraped++
		}
	}
	tell := newReporter(r.telemetry, r.set.Logger, r.clock, r.statuses.open(host), scraped)
	r.tell = tell
	r.processes = r.hosts.open(r.cfg.Scrape.ProcPath)
	targets := make([]*target, len(endpoints)) // nil for those that are not scraped
	for i, e := range endpoints {
		if !r.scrapes(e) {
			continue
		}
		if targets[i], err = r.newTarget(e, client, tell); err != nil {
			return err
		}
	}
	if r.streams, err = r.newStreams(endpoints, targets, tell); err != nil {
		return err
	}
	r.client = client
	running, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.streams.run(running, r.cfg.Scrape.CollectionInterval)
	for i, t := range targets {
		if t == nil {
			continue
		}
		interval := r.cfg.Scrape.CollectionInterval
		delay := r.cfg.Scrape.InitialDelay + phase(i, len(targets), interval)
		delay = untilCommon(r.clock.Now(), delay, interval)
		r.loops.Go(func() { t.run(running, delay, interval, r.deliver) })
	}
	if r.cfg.Scrape.ReportUnseen {
		u := &unseen{
			host: r.processes, clock: r.clock, ports: r.ports, launches: launches(), logger: r.set.Logger, hostname: r.hostname,
			version: r.set.BuildInfo.Version, elsewhere: r.cfg.Scrape.ScrapedElsewhere,
		}
		r.loops.Go(func() { u.run(running, r.cfg.Scrape.CollectionInterval, r.hand) })
	}
	return nil
}

// scrapes tells whether an endpoint has a page to scrape.
func (r *engineReceiver) scrapes(e EndpointConfig) bool {
	return e.Endpoint != "" && r.cfg.Streams.Pages.Enabled
}

// phase spreads n targets evenly over the interval, the same way at each start.
func phase(i, n int, interval time.Duration) time.Duration {
	return time.Duration(int64(interval) / int64(n) * int64(i))
}

// commonMoments is how many times in an interval scrapes begin, at most: a process that sleeps pays more for waking up than for the
// scrape it wakes for (docs/performance.md), so that those of several targets, and of several receivers, begin together.
const commonMoments = 20

// untilCommon lengthens a delay from now to the next of the moments at which scrapes begin. They are the same for all receivers of a host.
func untilCommon(now time.Time, delay, interval time.Duration) time.Duration {
	apart := max(interval/commonMoments, 1)
	return now.Add(delay + apart - 1).Truncate(apart).Sub(now)
}

func (r *engineReceiver) newTarget(e EndpointConfig, client *http.Client, tell *reporter) (*target, error) {
	u, err := parseEndpoint(e.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint %w", err)
	}
	id := r.identify(u, e)
	t := &target{
		url: u, name: id.Instance(), client: client, clock: r.clock, timeout: r.cfg.timeout(), maxBytes: r.cfg.Scrape.MaxBodyBytes,
		buffers: r.buffers, tell: tell, drains: r.cfg.Scrape.IterationStats, about: newAboutReader(r.loops.Go),
		book: exposition.NewBook(exposition.Settings{
			Dialects: r.dialects, Identity: id, MaxSeries: r.cfg.Scrape.MaxSeries,
			Scope: metadata.ScopeName, Version: r.set.BuildInfo.Version, Vocabulary: r.vocabulary,
			Connected: r.connected(e), Raw: r.cfg.Scrape.Raw,
		}),
	}
	t.pages = client
	if isPlain(r.cfg, u) {
		t.pages = &http.Client{Transport: &direct{wires: r.wires}, CheckRedirect: sameHost}
	}
	if at, ok := r.scrapedAt(u); ok {
		r.ports.add(at, 1)
		r.scraped = append(r.scraped, at)
	}
	if r.processes != nil && r.isLocal(u.Hostname()) {
		t.kin = newKinReader(r.processes, r.clock, u, r.connected(e), r.loops.Go)
	}
	return t, nil
}

// scrapedAt is how an endpoint is counted among those that are scraped; a name that is not this host's is not.
func (r *engineReceiver) scrapedAt(u *url.URL) (at netip.AddrPort, ok bool) {
	port, _ := strconv.Atoi(u.Port()) // checked by parseEndpoint
	if r.isLocal(u.Hostname()) {
		return ofHost(port), true
	}
	address, err := netip.ParseAddr(u.Hostname())
	return netip.AddrPortFrom(address.Unmap(), uint16(port)), err == nil
}

// connected are the inputs of an endpoint that are not missing: what others read, and the streams that are followed.
func (r *engineReceiver) connected(e EndpointConfig) []string {
	sources := slices.Clone(r.cfg.Scrape.Connected)
	if e.KVEvents != nil {
		sources = append(sources, signal.SourceKVEvents)
	}
	if e.ForwardPasses != nil {
		sources = append(sources, signal.SourceForwardPasses)
	}
	return sources
}

// identify says what is known of an endpoint without asking it. parseEndpoint has checked the port.
func (r *engineReceiver) identify(u *url.URL, e EndpointConfig) exposition.Identity {
	port, _ := strconv.ParseInt(u.Port(), 10, 64)
	id := exposition.Identity{
		Address: u.Hostname(), Port: port, Service: e.ServiceName, Fleet: e.Fleet, Role: e.Role, K8sRole: k8sRole(e.K8sRole),
	}
	if r.isLocal(u.Hostname()) {
		id.Host = r.hostname
	}
	return id
}

// deliver hands points to the pipeline. What it refuses is dropped and counted: the next scrape has the totals again.
func (r *engineReceiver) deliver(ctx context.Context, t *target, metrics pmetric.Metrics) {
	r.streams.observe(t, metrics)
	err := r.consume(ctx, metrics)
	if err != nil && !t.refused {
		r.set.Logger.Warn("The pipeline refuses the points of an engine", zap.String("endpoint", t.name), zap.Error(err))
	}
	t.refused = err != nil
}

// hand does the same with points of no target.
func (r *engineReceiver) hand(ctx context.Context, metrics pmetric.Metrics) {
	if err := r.consume(ctx, metrics); err != nil {
		r.set.Logger.Debug("The pipeline refuses points", zap.Error(err))
	}
}

func (r *engineReceiver) consume(ctx context.Context, metrics pmetric.Metrics) error {
	n := metrics.DataPointCount()
	ctx = r.obsreport.StartMetricsOp(ctx)
	err := r.next.ConsumeMetrics(ctx, metrics)
	r.obsreport.EndMetricsOp(ctx, metadata.Type.String(), n, err)
	return err
}

// Shutdown ends the scrapes and waits for them.
func (r *engineReceiver) Shutdown(context.Context) error {
	if r.cancel != nil {
		r.cancel()
		r.loops.Wait()
		r.streams.stop()
		r.client.CloseIdleConnections()
	}
	if r.tell != nil {
		r.tell.leave()
		r.tell = nil
	}
	for _, at := range r.scraped {
		r.ports.add(at, -1)
	}
	r.scraped = nil
	r.processes.close()
	r.processes = nil
	r.telemetry.Shutdown()
	return nil
}
