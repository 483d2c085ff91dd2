package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// record has the collector scrape a fleet and returns what its receiver hands on: one scrape of each engine.
func record(binary string, engines int, p *page) (md pmetric.Metrics, err error) {
	md = pmetric.NewMetrics()
	f, err := serve(engines, p)
	if err != nil {
		return md, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return md, err
	}
	got := make(chan pmetric.Metrics, engines)
	sink := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
		request := pmetricotlp.NewExportRequest()
		if err != nil || request.UnmarshalProto(body) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		select {
		case got <- request.Metrics():
		default:
		}
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = sink.Serve(l) }) // ends when it is closed
	defer func() { err = errors.Join(err, sink.Close()); serving.Wait() }()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return md, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	at, err := newSite(dir, f.addresses)
	if err != nil {
		return md, err
	}
	c, err := start(collector("record", binary, func(at site) pipeline {
		return pipeline{
			receiver: fmt.Sprintf("  llm_engine: {collection_interval: 1s, endpoints: %s}", list(at.targets)),
			exporter: fmt.Sprintf("  otlp_http: {endpoint: %q, compression: none, sending_queue: {enabled: false}}", "http://"+l.Addr().String()),
		}
	}), at)
	if err != nil {
		return md, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	return md, gather(md, engines, got)
}

// gather takes one scrape of each engine.
func gather(md pmetric.Metrics, engines int, got <-chan pmetric.Metrics) error {
	seen := map[string]bool{}
	for late := time.After(readyWithin); len(seen) < engines; {
		select {
		case some := <-got:
			for _, rm := range some.ResourceMetrics().All() {
				id, _ := rm.Resource().Attributes().Get("service.instance.id")
				if name := id.AsString(); !seen[name] {
					seen[name] = true
					rm.CopyTo(md.ResourceMetrics().AppendEmpty())
				}
			}
		case <-late:
			return fmt.Errorf("must record %d engines, got %d in %v", engines, len(seen), readyWithin)
		}
	}
	return nil
}

// estrange makes the points those of a program that is no engine: the same in number and shape, with names that nobody here knows.
func estrange(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		rm.Resource().Attributes().RemoveIf(func(name string, _ pcommon.Value) bool {
			return strings.HasPrefix(name, "llm.") || strings.HasPrefix(name, "gen_ai.")
		})
		for _, sm := range rm.ScopeMetrics().All() {
			sm.Scope().SetName("web")
			for _, m := range sm.Metrics().All() {
				m.SetName("web." + m.Name())
			}
		}
	}
}

// move makes the recorded points those of a moment: counters and histograms are n times what was recorded, all of one start.
func move(md pmetric.Metrics, n int, start, now time.Time) {
	from, at := pcommon.NewTimestampFromTime(start), pcommon.NewTimestampFromTime(now)
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				switch m.Type() {
				case pmetric.MetricTypeGauge:
					for _, p := range m.Gauge().DataPoints().All() {
						p.SetTimestamp(at)
					}
				case pmetric.MetricTypeSum:
					for _, p := range m.Sum().DataPoints().All() {
						p.SetStartTimestamp(from)
						p.SetTimestamp(at)
						if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
							p.SetIntValue(p.IntValue() * int64(n))
						} else {
							p.SetDoubleValue(p.DoubleValue() * float64(n))
						}
					}
				case pmetric.MetricTypeHistogram:
					for _, p := range m.Histogram().DataPoints().All() {
						p.SetStartTimestamp(from)
						p.SetTimestamp(at)
						p.SetCount(p.Count() * uint64(n))
						p.SetSum(p.Sum() * float64(n))
						for i, count := range p.BucketCounts().All() {
							p.BucketCounts().SetAt(i, count*uint64(n))
						}
					}
				}
			}
		}
	}
}
