package main

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// newDecoder returns the llm_engine receiver's way from a page to metrics, at times of our choosing.
func newDecoder() (func(page []byte, at time.Time) (pmetric.Metrics, error), error) {
	dialects, err := dialect.Load()
	if err != nil {
		return nil, err
	}
	book := exposition.NewBook(exposition.Settings{
		Dialects:  dialects,
		Scope:     "accuracy",
		Identity:  exposition.Identity{Address: "worker", Port: 8000},
		MaxSeries: 20_000,
	})
	return func(page []byte, at time.Time) (pmetric.Metrics, error) {
		md, _, err := book.Scrape(page, false, at, engine.VLLMVersion)
		return md, err
	}, nil
}
