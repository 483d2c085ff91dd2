package engine

import "strconv"

// Families of workers, to which series are added while the front end runs.
const (
	workerBlocks  = "dynamo_frontend_worker_active_decode_blocks"
	workerTokens  = "dynamo_frontend_worker_active_prefill_tokens"
	workerTTFT    = "dynamo_frontend_worker_last_time_to_first_token_seconds"
	workerITL     = "dynamo_frontend_worker_last_inter_token_latency_seconds"
	workerPrompt  = "dynamo_frontend_worker_last_input_sequence_tokens"
	routerPending = "dynamo_frontend_router_queue_pending_requests"
)

// newDynamoSheet lays out the front end's page. Its library sorts families by name, and a family has no series before its first
// use. What is not simulated is left out: tokenizing, stages, migration, predicted hit rates.
func newDynamoSheet(d *dynamo) *sheet {
	s := newSheet(gatheredForm())
	model := []label{{"model", d.facts.ServedModel}}
	gauge := func(name, help string, v float64) {
		s.gauge("dynamo_frontend_"+name, help, point{labels: model, at: &v})
	}
	live := func(name, help string, at *float64) {
		s.gauge("dynamo_frontend_"+name, help, point{labels: model, at: at})
	}
	histogram := func(name, help string, of *histogram) {
		s.histogram("dynamo_frontend_"+name, help, spread{labels: model, of: of, lazy: true})
	}
	request := func(status, failure string) []label {
		return and(model, label{"endpoint", "chat_completions"}, label{"request_type", "stream"}, label{"status", status}, label{"error_type", failure})
	}
	s.counter("dynamo_frontend_requests", "Requests by their outcome.",
		point{labels: request("success", ""), at: &d.answered, lazy: true},
		point{labels: request("error", "cancelled"), at: &d.cancelled, lazy: true})
	live("queued_requests", "Requests without a first token.", &d.queued)
	live("inflight_requests", "Requests in flight.", &d.inFlight)
	s.gauge("dynamo_frontend_disconnected_clients", "Clients that went away.", point{at: &d.gone})
	histogram("request_duration_seconds", "Seconds of a request.", &d.duration)
	histogram("time_to_first_token_seconds", "Seconds to the first token.", &d.ttft)
	histogram("inter_token_latency_seconds", "Seconds between tokens.", &d.itl)
	histogram("input_sequence_tokens", "Tokens of a prompt.", &d.inputs)
	histogram("output_sequence_tokens", "Tokens of an answer.", &d.outputs)
	histogram("cached_tokens", "Cached tokens of a prompt.", &d.cached)
	s.counter("dynamo_frontend_output_tokens", "Tokens sent.", point{labels: model, at: &d.outputTokens, lazy: true})

	f := d.facts
	gauge("model_total_kv_blocks", "KV blocks of a worker.", float64(f.Blocks))
	gauge("model_max_num_seqs", "Most sequences of a worker.", float64(f.MaxNumSeqs))
	gauge("model_max_num_batched_tokens", "Most tokens of a worker's step.", float64(f.MaxBatchedTokens))
	gauge("model_context_length", "Longest context in tokens.", float64(f.MaxModelTokens))
	gauge("model_kv_cache_block_size", "Tokens of a KV block.", float64(f.BlockSize))
	gauge("model_migration_limit", "Most migrations of a request.", 0)

	s.gauge(workerBlocks, "KV blocks that a worker decodes with.")
	s.gauge(workerTokens, "Prompt tokens that a worker has still to compute.")
	s.ratio(workerTTFT, "Seconds to the first token of a worker's last request.")
	s.ratio(workerITL, "Seconds between the last tokens of a worker.")
	s.gauge(workerPrompt, "Prompt tokens of a worker's last request.")
	s.gauge(routerPending, "Requests that wait in the router.")
	return s.arrange()
}

// addWorker adds the series of a worker.
func (s *sheet) addWorker(k workerKey, g *workerGauges) {
	labels := []label{{"worker_id", k.id}, {"dp_rank", strconv.Itoa(k.rank)}, {"worker_type", k.role}}
	for name, at := range map[string]*float64{
		workerBlocks: &g.blocks, workerTokens: &g.tokens, workerTTFT: &g.ttft, workerITL: &g.itl, workerPrompt: &g.prompt,
	} {
		s.add(name, labels, at)
	}
}

// addPending adds the series of a role's queue.
func (s *sheet) addPending(role string, at *float64) {
	s.add(routerPending, []label{{"worker_type", role}}, at)
}

// add adds a series to a family of gauges.
func (s *sheet) add(name string, labels []label, at *float64) {
	for _, f := range s.families {
		if f.name == name {
			f.series = append(f.series, newSample(name+labelText(labels, s.form.sorted), point{at: at}, s.form.fraction))
		}
	}
}
