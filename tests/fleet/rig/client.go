package rig

import (
	"compress/gzip"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	gzipencoding "google.golang.org/grpc/encoding/gzip"
)

// inFlight bounds the requests that wait for an answer.
const inFlight = 16

// client sends to a gateway as agents do, gzip over OTLP/gRPC, and counts what the gateway said.
type client struct {
	otlp pmetricotlp.GRPCClient

	mu       sync.Mutex
	accepted int
	refused  []error
}

// connect makes a client of a gateway at host:port.
func (c *client) connect(tb testing.TB, gateway string) {
	tb.Helper()
	require.NoError(tb, gzipencoding.SetLevel(gzip.BestSpeed)) // what is measured is at the other end
	connection, err := grpc.NewClient(gateway, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = connection.Close() })
	c.otlp = pmetricotlp.NewGRPCClient(connection)
}

// request is one of many that are sent when each is due.
type request struct {
	due time.Duration // since they began
	md  func() pmetric.Metrics
}

// send sends each request at its time, or as soon as a slot is free, and waits for all answers.
func (c *client) send(ctx context.Context, began time.Time, requests []request) {
	slots := make(chan struct{}, inFlight)
	var answers sync.WaitGroup
	for _, r := range requests {
		select {
		case <-time.After(time.Until(began.Add(r.due))):
		case <-ctx.Done():
		}
		slots <- struct{}{}
		answers.Go(func() {
			defer func() { <-slots }()
			c.export(ctx, r.md())
		})
	}
	answers.Wait()
}

func (c *client) export(ctx context.Context, md pmetric.Metrics) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	points := md.DataPointCount()
	answer, err := c.otlp.Export(ctx, pmetricotlp.NewExportRequestFromMetrics(md), grpc.UseCompressor(gzipencoding.Name))
	if err == nil { // otherwise there is no answer to look into
		if said := answer.PartialSuccess(); said.RejectedDataPoints() > 0 {
			err = fmt.Errorf("%d of %d points rejected: %s", said.RejectedDataPoints(), points, said.ErrorMessage())
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.refused = append(c.refused, err)
		return
	}
	c.accepted += points
}

// Accepted is how many points the gateway said it had taken, and why it took others not.
func (c *client) Accepted() (points int, refused []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.accepted, c.refused
}
