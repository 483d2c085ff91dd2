package engine

import (
	"math"
	"strconv"
)

// sglangPage is the page of one server of SGLang, with the schedulers of all its data-parallel ranks. The processes of a server
// always share the page. Names and labels are from sglang/srt/observability/metrics_collector.py at 016d860 for releases from
// 0.5.11 on; for those before, from change lists, and the release in which a family came may be off. What the simulation has no
// figure for is left out: grammars, host memory, weights, start-up times, failures of bootstrap, the scheduler's own ratios.
type sglangPage struct {
	sheet *sheet
	facts Facts // of the first rank
	version
	cores []*SGLang
	pid   label // of the scheduler's process, on gauges that do not say how processes are merged
}

func newSGLangPage(cores []*SGLang) *sglangPage {
	p := &sglangPage{
		sheet: newSheet(processesForm()), facts: cores[0].facts, version: cores[0].version, cores: cores, pid: label{"pid", "1"},
	}
	p.load()
	p.pools()
	p.speculation()
	p.disaggregation()
	p.modes()
	p.constants()
	p.execution()
	p.scheduling()
	p.tokenizer()
	p.sheet.arrange()
	return p
}

// modern reports the releases from 0.5.11 on, with page_size as a family and transfers as histograms.
func (p *sglangPage) modern() bool { return p.from(0, 5, 11) }

// ofScheduler are the labels of a scheduler's series.
func (p *sglangPage) ofScheduler(c *SGLang, extra ...label) []label {
	engineType := c.facts.Role
	if engineType != rolePrefill && engineType != roleDecode {
		engineType = "unified"
	}
	labels := []label{{"model_name", p.facts.ServedModel}, {"engine_type", engineType}, {"tp_rank", "0"}, {"pp_rank", "0"}}
	if p.from(0, 5) {
		labels = append(labels, label{"moe_ep_rank", "0"})
		if p.facts.Ranks > 1 {
			labels = append(labels, label{"dp_rank", strconv.Itoa(c.facts.Rank)})
		}
	}
	return and(labels, extra...)
}

// ofTokenizer are the labels of the tokenizer process's series: no ranks.
func (p *sglangPage) ofTokenizer(c *SGLang, extra ...label) []label {
	return and(p.ofScheduler(c)[:2], extra...)
}

func (p *sglangPage) each(of func(*sglangStats) *float64, extra ...label) []point {
	points := make([]point, len(p.cores))
	for i, c := range p.cores {
		points[i] = point{labels: p.ofScheduler(c, extra...), at: of(&c.stats)}
	}
	return points
}

// lazy marks points that exist only from their first value on, as all series of counters do here.
func lazy(points []point) []point {
	for i := range points {
		points[i].lazy = true
	}
	return points
}

// gauge adds a gauge that exists from the first log on.
func (p *sglangPage) gauge(name, help string, of func(*sglangStats) *float64, extra ...label) {
	points := lazy(p.each(of, extra...))
	for i, c := range p.cores {
		points[i].after = &c.stats.logged
	}
	p.sheet.gauge("sglang:"+name, help, points...)
}

// constant adds a gauge that is set once, at the start.
func (p *sglangPage) constant(name, help string, v float64, extra ...label) {
	p.sheet.gauge("sglang:"+name, help, p.each(still(v), extra...)...)
}

func (p *sglangPage) counter(name, help string, of func(*sglangStats) *float64) {
	p.sheet.counter("sglang:"+name, help, lazy(p.each(of))...)
}

func (p *sglangPage) histogram(name, help string, of func(*sglangStats) *histogram) {
	spreads := make([]spread, len(p.cores))
	for i, c := range p.cores {
		spreads[i] = spread{labels: p.ofScheduler(c), of: of(&c.stats), lazy: true}
	}
	p.sheet.histogram("sglang:"+name, help, spreads...)
}

// still is a number that never changes.
func still(v float64) func(*sglangStats) *float64 { return func(*sglangStats) *float64 { return &v } }

func (p *sglangPage) load() {
	p.gauge("num_running_reqs", "Requests that run.", func(s *sglangStats) *float64 { return &s.running })
	p.gauge("num_queue_reqs", "Requests in the waiting queue.", func(s *sglangStats) *float64 { return &s.queued })
	p.gauge("num_grammar_queue_reqs", "Requests that wait for their grammar.", still(0))
	p.gauge("gen_throughput", "Tokens generated per second, as of the last log.", func(s *sglangStats) *float64 { return &s.throughput })
	p.gauge("cache_hit_rate", "Prefix cache hit rate, as of the last log.", func(s *sglangStats) *float64 { return &s.hitRate })
}

func (p *sglangPage) pools() {
	p.gauge("token_usage", "Share of the KV pool in use.", func(s *sglangStats) *float64 { return &s.usage })
	p.gauge("num_used_tokens", "Tokens in use.", func(s *sglangStats) *float64 { return &s.used })
	if !p.from(0, 5) {
		return
	}
	p.gauge("full_token_usage", "Share of the full-attention pool in use.", func(s *sglangStats) *float64 { return &s.usage })
	p.gauge("swa_token_usage", "Share of the sliding-window pool in use.", still(0))
	p.gauge("mamba_usage", "Share of the state-space pool in use.", still(0))
	if !p.modern() {
		return
	}
	p.gauge("decode_sum_seq_lens", "Lengths of all sequences in decode, added up.", func(s *sglangStats) *float64 { return &s.sumLengths })
	p.gauge("kv_available_tokens", "Free slots of the KV pool.", func(s *sglangStats) *float64 { return &s.available })
	p.gauge("kv_evictable_tokens", "Slots of the KV pool that are cached and can be evicted.", func(s *sglangStats) *float64 { return &s.evictable })
	p.gauge("kv_used_tokens", "Slots of the KV pool in use.", func(s *sglangStats) *float64 { return &s.used })
	for _, pool := range []string{"swa", "mamba"} {
		for _, state := range []string{"available", "evictable", "used"} {
			p.gauge(pool+"_"+state+"_tokens", "Slots of the "+pool+" pool: "+state+".", still(0))
		}
	}
}

func (p *sglangPage) speculation() {
	p.gauge("spec_accept_length", "Tokens per draft that were accepted, and one of the model itself.", func(s *sglangStats) *float64 { return &s.acceptLength })
	if !p.from(0, 5) {
		return
	}
	p.gauge("spec_accept_rate", "Share of drafted tokens that were accepted.", func(s *sglangStats) *float64 { return &s.acceptRate })
	if !p.modern() {
		return
	}
	p.gauge("spec_cap_length", "Scheduled window of verification.", still(0))
	p.gauge("spec_block_accept_length", "Uncapped accept length.", still(0))
	steps := float64(p.facts.SpeculativeTokens)
	p.gauge("spec_num_steps", "Steps of speculation.", still(steps))
	p.gauge("spec_num_draft_tokens", "Tokens of a draft.", still(steps))
}

func (p *sglangPage) disaggregation() {
	bootstrap := "num_prefill_bootstrap_queue_reqs"
	if !p.modern() {
		bootstrap = "num_prefill_prealloc_queue_reqs"
	}
	p.gauge(bootstrap, "Requests at the prefill engine that wait for a decode engine.", func(s *sglangStats) *float64 { return &s.bootstrapQueue })
	p.gauge("num_prefill_inflight_queue_reqs", "Requests whose prefill is done and whose KV is not yet away.", func(s *sglangStats) *float64 { return &s.inflightQueue })
	p.gauge("num_decode_prealloc_queue_reqs", "Requests at the decode engine that wait for slots.", func(s *sglangStats) *float64 { return &s.prealloc })
	p.gauge("num_decode_transfer_queue_reqs", "Requests at the decode engine that wait for their KV.", func(s *sglangStats) *float64 { return &s.transfers })
	p.counter("num_transfer_failed_reqs", "Requests whose transfer failed.", func(s *sglangStats) *float64 { return &s.failedTransfers })
	if !p.modern() {
		p.gauge("kv_transfer_speed_gb_s", "Speed of the last KV transfer in GB/s.", func(s *sglangStats) *float64 { return &s.lastSpeed })
		p.gauge("kv_transfer_latency_ms", "Latency of the last KV transfer in ms.", func(s *sglangStats) *float64 { return &s.lastLatency })
		if p.from(0, 5) {
			p.gauge("kv_transfer_bootstrap_ms", "Bootstrap of the last KV transfer in ms.", func(s *sglangStats) *float64 { return &s.lastBootstrap })
			p.gauge("kv_transfer_alloc_ms", "Wait for slots of the last KV transfer in ms.", func(s *sglangStats) *float64 { return &s.lastAlloc })
			p.gauge("kv_transfer_total_mb", "Size of the last KV transfer in MB.", func(s *sglangStats) *float64 { return &s.lastSize })
		}
		return
	}
	p.histogram("kv_transfer_speed_gb_s", "Speed of KV transfers in GB/s.", func(s *sglangStats) *histogram { return &s.speed })
	p.histogram("kv_transfer_latency_ms", "Latency of KV transfers in ms.", func(s *sglangStats) *histogram { return &s.latency })
	p.histogram("kv_transfer_bootstrap_ms", "Bootstrap of KV transfers in ms.", func(s *sglangStats) *histogram { return &s.bootstrap })
	p.histogram("kv_transfer_alloc_ms", "Wait for slots of KV transfers in ms.", func(s *sglangStats) *histogram { return &s.alloc })
	p.histogram("kv_transfer_total_mb", "Size of KV transfers in MB.", func(s *sglangStats) *histogram { return &s.size })
}

// modes adds what tells how the engine runs.
func (p *sglangPage) modes() {
	if !p.from(0, 5) {
		return
	}
	p.gauge("num_retracted_reqs", "Requests retracted in the last step.", func(s *sglangStats) *float64 { return &s.retracted }, p.pid)
	p.gauge("num_paused_reqs", "Requests paused while weights are renewed.", still(0), p.pid)
	p.gauge("utilization", "Share of the request slots in use.", func(s *sglangStats) *float64 { return &s.utilization })
	p.gauge("is_cuda_graph", "Whether the last batch used a CUDA graph.", func(s *sglangStats) *float64 { return &s.graph })
	if !p.modern() {
		return
	}
	p.gauge("fwd_occupancy", "GPU occupancy of a forward pass, in percent.", still(math.NaN())) // until something measures it
	if p.facts.MaxAdapters > 0 {
		p.gauge("lora_pool_slots_used", "LoRA slots in use.", func(s *sglangStats) *float64 { return &s.slots })
		p.gauge("lora_pool_slots_total", "LoRA slots.", still(float64(p.facts.MaxAdapters)))
		p.gauge("lora_pool_utilization", "Share of the LoRA slots in use.", func(s *sglangStats) *float64 { return &s.slotUse })
	}
}

// constants adds what does not change after the start.
func (p *sglangPage) constants() {
	blocks := max(p.facts.Blocks-1, 1)
	if !p.modern() {
		p.constant("cache_config_info", "Configuration of the cache.", 1,
			label{"page_size", strconv.Itoa(p.facts.BlockSize)}, label{"num_pages", strconv.Itoa(blocks)})
		return
	}
	p.constant("max_total_num_tokens", "Size of the KV pool in tokens.", float64(blocks*p.facts.BlockSize))
	p.constant("page_size", "Tokens of a page.", float64(p.facts.BlockSize))
	p.constant("num_pages", "Pages of the KV pool.", float64(blocks))
	p.constant("context_len", "Longest context in tokens.", float64(p.facts.MaxModelTokens))
}
