package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// stamped is the gauge whose value is when its engine answered. Both receivers hand it on, one under the vocabulary's name.
const stamped = "vllm:num_requests_running"

// receipts are how long stamped points took to a sink.
type receipts struct {
	durations
	now   func() time.Time
	count atomic.Int64
}

// take looks for stamps in what came over OTLP: gauges, or in the vocabulary a sum that goes up and down.
func (r *receipts) take(md pmetric.Metrics) {
	now := r.now()
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if m.Name() != stamped && m.Name() != signal.Running {
					continue
				}
				switch m.Type() {
				case pmetric.MetricTypeGauge:
					r.noteAll(now, m.Gauge().DataPoints())
				case pmetric.MetricTypeSum:
					r.noteAll(now, m.Sum().DataPoints())
				}
			}
		}
	}
}

func (r *receipts) noteAll(now time.Time, points pmetric.NumberDataPointSlice) {
	for _, p := range points.All() {
		if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
			r.note(now, float64(p.IntValue()))
		} else {
			r.note(now, p.DoubleValue())
		}
	}
}

// note takes a point. One that ends a series has no value: 0 over OTLP, no number in remote write.
func (r *receipts) note(now time.Time, micros float64) {
	if micros > 0 {
		r.add(now.Sub(time.UnixMicro(int64(micros))))
		r.count.Add(1)
	}
}

// ServeHTTP takes Prometheus' remote write, first version.
func (r *receipts) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, 64<<20))
	if err == nil {
		body, err = snappy.Decode(nil, body)
	}
	var written prompb.WriteRequest
	if err == nil {
		err = written.Unmarshal(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	now := r.now()
	for _, series := range written.Timeseries {
		for _, l := range series.Labels {
			if l.Name != "__name__" || l.Value != stamped {
				continue
			}
			for _, s := range series.Samples {
				r.note(now, s.Value)
			}
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// arrivals is a fleet of engines whose pages tell when they were answered, by their clock, and sinks for OTLP and remote write: the last two
// targets.
func arrivals(o options, p *page, clock func() time.Time) (w work, err error) {
	p, err = p.stamp(stamped, clock)
	if err != nil {
		return w, err
	}
	if w, err = scrapes(o, p); err != nil {
		return w, err
	}
	r := &receipts{now: time.Now}
	sink, err := newGateway(r.take)
	if err != nil {
		return w, errors.Join(err, w.close())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		sink.close()
		return w, errors.Join(err, w.close())
	}
	remote := &http.Server{ReadHeaderTimeout: time.Minute, Handler: r}
	var serving sync.WaitGroup
	serving.Go(func() { _ = remote.Serve(l) }) // ends when it is closed
	closeFleet := w.close
	w.targets = append(w.targets, sink.address, l.Addr().String())
	w.done, w.answers = r.count.Load, r.taken
	w.close = func() error {
		sink.close()
		err := remote.Close()
		serving.Wait()
		return errors.Join(closeFleet(), err)
	}
	return w, nil
}

// split tells the engines of arrivals from its sinks.
func split(at site) (fleet site, otlp, remote string) {
	n := len(at.targets) - 2
	fleet, otlp, remote = at, at.targets[n], at.targets[n+1]
	fleet.targets = at.targets[:n]
	return fleet, otlp, remote
}

// senders are the subjects that scrape engines, each in front of an exporter as it is by default; ours and the community's receiver also
// behind the batch processor as it is by default.
func senders(o options, binary string, p *page) ([]subject, error) {
	processors, err := ottl(p)
	if err != nil {
		return nil, err
	}
	of := func(name string, scrape func(site) pipeline) subject {
		return collector(name, binary, func(at site) pipeline {
			fleet, otlp, _ := split(at)
			p := scrape(fleet)
			p.exporter = fmt.Sprintf("  otlp: {endpoint: %q, tls: {insecure: true}}", otlp)
			return p
		})
	}
	batched := func(scrape func(site) pipeline) func(site) pipeline {
		return func(at site) pipeline {
			p := scrape(at)
			p.processors, p.order = "  batch:", []string{"batch"}
			return p
		}
	}
	ours, peer := engines(o.interval), prometheus(o.interval)
	all := []subject{
		of("llm_engine", ours), of("llm_engine, batch", batched(ours)), of("prometheus", peer), of("prometheus, batch", batched(peer)),
		of("prometheus, filter, transform", renamed(peer, processors)),
	}
	if o.prometheus != "" {
		all = append(all, prometheusServer(o.prometheus, o.interval, func(at site) (site, string) {
			fleet, _, remote := split(at)
			return fleet, fmt.Sprintf("remote_write:\n  - {url: %q}\n", "http://"+remote+"/api/v1/write")
		}))
	}
	return all, nil
}

func runLatency(o options, binary string) error {
	p, err := readPage(o.page)
	if err != nil {
		return err
	}
	subjects, err := senders(o, binary, p)
	if err != nil {
		return err
	}
	results, err := rounds(o, subjects, func() (work, error) { return arrivals(o, p, time.Now) })
	if err != nil {
		return err
	}
	reportLatency(os.Stdout, o, p.series(), subjects, results)
	return nil
}

func reportLatency(out io.Writer, o options, series int, subjects []subject, results map[string][]measured) {
	heading(out, fmt.Sprintf("%d targets, %d series a page, every %v; from an engine's answer until a sink has the point, ms", o.targets, series, o.interval), o)
	table(out, subjects, results, []column{
		answers("p50", 0.5), answers("p99", 0.99), answers("longest", 1),
		{head: "points that arrived", of: made},
		{head: "CPU ms per scrape", of: func(all []measured) string { return spreadOf(all, cpuEach).String() }},
	})
}
