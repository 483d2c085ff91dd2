package live

import (
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
)

// spanStreams send one span per finished request, each engine from an exporter of its own.
type spanStreams struct {
	exporters []*stream.SpanExporter
	model     string   // as it is served; set before the first request
	roles     []string // by worker
}

func openSpans(o *scenario.Traces, cfg *fleetsim.Config) (*spanStreams, error) {
	s := &spanStreams{}
	protocol := stream.GRPC
	if o.Protocol == "http/protobuf" {
		protocol = stream.HTTPProtobuf
	}
	for i, p := range workerPools(cfg) {
		dialect := stream.VLLMSpans
		if p.Engine == fleetsim.SGLang {
			dialect = stream.SGLangSpans
		}
		e, err := stream.NewSpanExporter(stream.SpanOptions{
			Endpoint: o.Endpoint, Protocol: protocol, Dialect: dialect, Service: o.Service, Seed: cfg.Seed + uint64(i), ProcessID: i + 1,
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("protocols.traces, worker %d: %w", i, err), s.close())
		}
		s.exporters = append(s.exporters, e)
		role := ""
		if p.Role != fleetsim.Aggregated {
			role = string(p.Role)
		}
		s.roles = append(s.roles, role)
	}
	return s, nil
}

func (s *spanStreams) close() error {
	var err error
	for _, e := range s.exporters {
		err = errors.Join(err, e.Close())
	}
	return err
}

// send exports the span of a request; start is the worker's wall time of simulated time 0.
func (s *spanStreams) send(t fleetsim.RequestTruth, start time.Time) {
	at := func(simulated float64) time.Time { return start.Add(seconds(simulated)) }
	s.exporters[t.Worker].Export(stream.RequestSpan{
		Arrival: at(t.ArrivalSeconds), Queued: at(t.ArrivalSeconds), Scheduled: at(t.FirstScheduledSeconds), FirstToken: at(t.FirstTokenSeconds),
		LastToken: at(t.LastTokenSeconds), Finished: at(t.LastTokenSeconds),
		PromptTokens: t.PromptTokens, CachedTokens: t.CachedTokens, CompletionTokens: t.OutputTokens,
		Model: s.model, ID: fmt.Sprintf("cmpl-%d-%d", t.Request, t.Attempt), FinishReason: "stop", Role: s.roles[t.Worker], N: 1,
	})
}
