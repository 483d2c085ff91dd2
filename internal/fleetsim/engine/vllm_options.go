package engine

import "strconv"

// speculation adds the families of speculative decoding, which are there only with it.
func (p *vllmPage) speculation() {
	if p.facts.SpeculativeTokens == 0 {
		return
	}
	p.counter("spec_decode_num_drafts", "Drafts made by speculative decoding.", func(t *vllmStats) *float64 { return &t.drafts })
	p.counter("spec_decode_num_draft_tokens", "Tokens drafted.", func(t *vllmStats) *float64 { return &t.drafted })
	p.counter("spec_decode_num_accepted_tokens", "Drafted tokens that were accepted.", func(t *vllmStats) *float64 { return &t.accepted })
	var points []point
	for _, c := range p.cores {
		for i := range c.stats.acceptedAt {
			points = append(points, point{labels: p.labels(c, label{"position", strconv.Itoa(i)}), at: &c.stats.acceptedAt[i]})
		}
	}
	p.sheet.counter("vllm:spec_decode_num_accepted_tokens_per_pos", "Accepted tokens by their position in the draft.", points...)
}

// transfers adds the families of the NIXL connector, which are there only with it.
func (p *vllmPage) transfers() {
	if p.facts.KVConnector != connectorNIXL || !p.from(0, 12) {
		return
	}
	p.histogram("nixl_xfer_time_seconds", "Seconds a NIXL transfer of KV took.", func(t *vllmStats) *histogram { return &t.transfer })
	p.histogram("nixl_post_time_seconds", "Seconds the posting of a NIXL transfer of KV took.", func(t *vllmStats) *histogram { return &t.post })
	p.histogram("nixl_bytes_transferred", "Bytes of a NIXL transfer of KV.", func(t *vllmStats) *histogram { return &t.transferred })
	p.histogram("nixl_num_descriptors", "Descriptors of a NIXL transfer of KV.", func(t *vllmStats) *histogram { return &t.descriptors })
	p.counter("nixl_num_failed_transfers", "NIXL transfers of KV that failed.", func(t *vllmStats) *float64 { return &t.failedTransfers })
	p.counter("nixl_num_failed_notifications", "NIXL notifications that failed.", func(t *vllmStats) *float64 { return &t.failedNotifications })
	p.counter("nixl_num_kv_expired_reqs", "Requests whose KV expired before it was fetched, counted where it was computed.",
		func(t *vllmStats) *float64 { return &t.expired })
}

// estimates adds the analytic counters, which stay at 0 unless the engine is started with --enable-mfu-metrics.
func (p *vllmPage) estimates() {
	if !p.from(0, 14) {
		return
	}
	double := "" // of a name that ends in _total before the library adds another one
	if p.earlyRust() {
		double = "_total"
	}
	p.counter("estimated_flops_per_gpu"+double, "Estimated number of floating point operations per GPU (for Model Flops Utilization calculations).",
		func(t *vllmStats) *float64 { return &t.flops })
	p.counter("estimated_read_bytes_per_gpu"+double, "Estimated number of bytes read from memory per GPU (for Model Flops Utilization calculations).",
		func(t *vllmStats) *float64 { return &t.readBytes })
	p.counter("estimated_write_bytes_per_gpu"+double, "Estimated number of bytes written to memory per GPU (for Model Flops Utilization calculations).",
		func(t *vllmStats) *float64 { return &t.writtenBytes })
}

// residency adds the families of --kv-cache-metrics, which are there only with it.
func (p *vllmPage) residency() {
	if p.facts.ResidencySample == 0 || !p.from(0, 14) {
		return
	}
	const sampled = " Sampled metrics (controlled by --kv-cache-metrics-sample)."
	p.histogram("kv_block_lifetime_seconds", "Histogram of KV cache block lifetime from allocation to eviction."+sampled,
		func(t *vllmStats) *histogram { return &t.lifetime })
	p.histogram("kv_block_idle_before_evict_seconds", "Histogram of idle time before KV cache block eviction."+sampled,
		func(t *vllmStats) *histogram { return &t.idle })
	p.histogram("kv_block_reuse_gap_seconds", "Histogram of time gaps between consecutive KV cache block accesses. "+
		"Only the most recent accesses are recorded (ring buffer)."+sampled, func(t *vllmStats) *histogram { return &t.reuseGap })
}
