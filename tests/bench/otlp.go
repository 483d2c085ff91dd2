package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// sender sends scrapes of recorded engines over OTLP/HTTP, one request after the other, as fast as they are answered.
type sender struct {
	url      string
	client   http.Client
	recorded pmetric.Metrics
	step     time.Duration // between two scrapes in the time that points tell
	sent     atomic.Int64  // points that were accepted
	refused  atomic.Int64  // points
	answers  durations
}

// send is the load. Nobody listens at first: until then a request is tried again.
func send(recorded pmetric.Metrics, step time.Duration) (work, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return work{}, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return work{}, err
	}
	s := &sender{url: "http://" + address + "/v1/metrics", recorded: recorded, step: step, client: http.Client{Timeout: stopWithin}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.run(ctx) }()
	return work{
		targets: []string{address}, done: s.sent.Load, ready: 1, lost: s.refused.Load, answers: s.answers.taken,
		close: func() error {
			cancel()
			s.client.CloseIdleConnections()
			return <-done
		},
	}, nil
}

func (s *sender) run(ctx context.Context) error {
	// The points' time begins in the past, so that many scrapes fit before now.
	began := time.Now().Add(-24 * time.Hour)
	points := int64(s.recorded.DataPointCount())
	md := pmetric.NewMetrics()
	for n := 1; ctx.Err() == nil; {
		s.recorded.CopyTo(md)
		move(md, n, began, began.Add(time.Duration(n)*s.step))
		body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
		if err != nil {
			return err
		}
		asked := time.Now()
		status, err := s.post(ctx, body)
		switch {
		case err != nil:
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
			continue
		case status != http.StatusOK:
			s.refused.Add(points)
		default:
			s.sent.Add(points)
		}
		s.answers.add(time.Since(asked))
		n++
	}
	return nil
}

func (s *sender) post(ctx context.Context, body []byte) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	response, err := s.client.Do(request)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, errors.Join(err, response.Body.Close())
}

// ourProcessors are those with the windows of the shipped configuration.
func ourProcessors() pipeline {
	return pipeline{
		processors: "  phase_attribution: {window: 5s}\n  kv_fragmentation: {window: 5s}\n  disaggregation: {window: 5s}",
		order:      []string{"phase_attribution", "kv_fragmentation", "disaggregation"},
	}
}

// pipelines are the empty one, and one with our processors; with each, also one with each of them alone.
func pipelines(binary string, each bool) []subject {
	of := func(name string, p pipeline) subject {
		return collector(name, binary, func(at site) pipeline {
			p.receiver = fmt.Sprintf("  otlp: {protocols: {http: {endpoint: %q}}}", at.targets[0])
			return p
		})
	}
	ours := ourProcessors()
	all := []subject{of(empty, pipeline{}), of(withOurs, ours)}
	for _, processor := range ours.order {
		if each {
			all = append(all, of(processor, pipeline{processors: ours.processors, order: []string{processor}}))
		}
	}
	return all
}

const (
	empty    = "empty pipeline"
	withOurs = "phase_attribution, kv_fragmentation, disaggregation"
)

func reportPipelines(out io.Writer, o options, what string, points int, subjects []subject, results map[string][]measured) {
	heading(out, fmt.Sprintf("OTLP/HTTP, %s: requests of %d points of %d workers, one after the other; %v between two scrapes in the points' time",
		what, points, o.workers, o.interval), o)
	nanoseconds := func(m measured) float64 { return 1e6 * cpuEach(m) }
	base := spreadOf(results[empty], nanoseconds).median
	table(out, subjects, results, []column{
		{head: "CPU ns per point", of: func(all []measured) string { return spreadOf(all, nanoseconds).String() }},
		{head: "over the empty pipeline, ns", of: func(all []measured) string {
			if &all[0] == &results[empty][0] {
				return ""
			}
			return spreadOf(all, func(m measured) float64 { return nanoseconds(m) - base }).String()
		}},
		answers("answer, p50 ms", 0.5), answers("p99 ms", 0.99),
		{head: "points refused", of: func(all []measured) string {
			return fmt.Sprintf("%.0f", spreadOf(all, func(m measured) float64 { return float64(m.lost) }).most)
		}},
	})
}
