package live

import (
	"errors"
	"fmt"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/stream"
)

// passStreams publish the forward passes of every worker.
type passStreams struct{ publishers []*stream.PassPublisher }

// openPasses binds a publisher per worker. Heartbeats come from the simulation, in its own time.
func openPasses(o *scenario.ForwardPasses, cfg *fleetsim.Config, host string) (*passStreams, error) {
	p := &passStreams{}
	var dialect stream.PassDialect
	for _, d := range []stream.PassDialect{stream.DynamoPasses, stream.VLLMPasses, stream.SGLangPasses} {
		if d.String() == o.Dialect {
			dialect = d
		}
	}
	for i := range cfg.Workers() {
		publisher, err := stream.NewPassPublisher(stream.PassOptions{
			Endpoint: zmqEndpoint(host, o.Port, i), Worker: fmt.Sprintf("worker-%d", i),
			Dialect: dialect, Positional: o.Positional, Heartbeat: -1,
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("protocols.forward_passes, worker %d: %w", i, err), p.close())
		}
		p.publishers = append(p.publishers, publisher)
	}
	return p, nil
}

func (p *passStreams) publish(x fleetsim.Pass) {
	p.publishers[x.Worker].Publish(stream.ForwardPass{
		WallTime: x.Seconds,
		Scheduled: stream.ScheduledRequests{
			Prefills: x.Scheduled.PrefillRequests, PrefillTokens: x.Scheduled.PrefillTokens,
			PrefillVariance: x.Scheduled.PrefillLengthVariance, PrefillKVTokens: x.Scheduled.PrefillKVTokens,
			Decodes: x.Scheduled.DecodeRequests, DecodeKVTokens: x.Scheduled.DecodeKVTokens, DecodeVariance: x.Scheduled.DecodeKVVariance,
		},
		Queued: stream.QueuedRequests{
			Prefills: x.Queued.PrefillRequests, PrefillTokens: x.Queued.PrefillTokens, PrefillVariance: x.Queued.PrefillLengthVariance,
			Decodes: x.Queued.DecodeRequests, DecodeKVTokens: x.Queued.DecodeKVTokens, DecodeVariance: x.Queued.DecodeKVVariance,
		},
	})
}

func (p *passStreams) endpoints() (list []string) {
	for _, x := range p.publishers {
		list = append(list, x.Endpoint())
	}
	return list
}

func (p *passStreams) close() error {
	var err error
	for _, x := range p.publishers {
		err = errors.Join(err, x.Close())
	}
	return err
}
