package engine

import (
	"fmt"
	"io"
	"strconv"
)

// dynamoWorker is an engine that runs as a worker of Dynamo: its page has Dynamo's families and then the engine's own.
type dynamoWorker struct {
	Book
	sheet *sheet

	usage, inFlight, requests, errors float64
	blocks                            float64
	duration                          histogram
}

// newDynamoWorker puts Dynamo around an engine.
func newDynamoWorker(inner Book, f Facts) (Book, error) {
	if f.FrontEnd == frontEndRust {
		return nil, fmt.Errorf("front end: got %s in a worker of Dynamo, which has its own", f.FrontEnd)
	}
	// The buckets are those of the front end's durations, in want of better knowledge.
	w := &dynamoWorker{Book: inner, blocks: float64(max(f.Blocks-1, 0)), duration: newHistogram(logBounds(1, 512, 10))}
	component := "backend"
	if f.Role == rolePrefill {
		component = rolePrefill
	}
	base := []label{{"dynamo_namespace", "dynamo"}, {"dynamo_component", component}, {"dynamo_endpoint", "generate"}, {"model", f.ServedModel}}
	cache := []label{{"dp_rank", strconv.Itoa(f.Rank)}, {"model", f.ServedModel}}
	s := newSheet(gatheredForm())
	s.ratio("dynamo_component_gpu_cache_usage_percent", "Share of the KV blocks in use, 0 to 1.", point{labels: cache, at: &w.usage})
	s.gauge("dynamo_component_total_blocks", "KV blocks.", point{labels: cache, at: &w.blocks})
	s.gauge("dynamo_component_inflight_requests", "Requests that the worker has.", point{labels: base, at: &w.inFlight})
	s.counter("dynamo_component_requests", "Requests that the worker ended.", point{labels: base, at: &w.requests, lazy: true})
	s.counter("dynamo_component_errors", "Requests that failed.", point{labels: and(base, label{"error_type", "cancelled"}), at: &w.errors, lazy: true})
	s.histogram("dynamo_component_request_duration_seconds", "Seconds of a request.", spread{labels: base, of: &w.duration, lazy: true})
	w.sheet = s.arrange()
	return w, nil
}

func (w *dynamoWorker) Step(t *Step) {
	w.usage = float64(t.UsedBlocks) / max(w.blocks, 1)
	w.inFlight = float64(t.Running + t.Waiting + t.Deferred)
	w.Book.Step(t)
}

func (w *dynamoWorker) Finished(r *Request) {
	w.requests++
	if r.Aborted {
		w.errors++
	}
	w.duration.observe((r.LastToken - r.Queued).Seconds())
	w.Book.Finished(r)
}

func (w *dynamoWorker) WritePage(out io.Writer) error {
	if err := w.sheet.writeTo(out); err != nil {
		return err
	}
	return w.Book.WritePage(out)
}

func (w *dynamoWorker) ContentType() string { return w.sheet.form.mediaType }

// Endpoints are the paths of the worker's system server. The engine's own HTTP server does not run.
func (w *dynamoWorker) Endpoints() []Endpoint {
	return []Endpoint{
		{Path: "/metrics", ContentType: w.ContentType(), Write: w.WritePage},
		document("/health", map[string]string{"status": "ready"}), document("/live", map[string]string{"status": "live"}),
	}
}
