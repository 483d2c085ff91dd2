package fleetsim

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// modes are the ways a scheduler can be set up.
func modes() map[string]func(*Pool) {
	return map[string]func(*Pool){
		"chunked":       func(*Pool) {},
		"long prompts":  func(p *Pool) { p.MaxChunk = 16 },
		"tight budget":  func(p *Pool) { p.MaxChunk, p.MaxBatchedTokens, p.MaxNumSeqs = 11, 14, 14 },
		"whole prompts": func(p *Pool) { p.Scheduling, p.MaxBatchedTokens = WholePrompts, 400 },
		"prefill first": func(p *Pool) { p.Scheduling, p.MaxBatchedTokens = PrefillFirst, 400 },
		"speculative":   func(p *Pool) { p.Speculative = Speculative{Tokens: 3, Acceptance: []float64{0.8, 0.5}, DraftCost: 0.1} },
		"all kept":      func(p *Pool) { p.Speculative = Speculative{Tokens: 5, Acceptance: []float64{1}} },
		"scarce drafts": func(p *Pool) {
			p.MaxBatchedTokens, p.Speculative = 20, Speculative{Tokens: 7, Acceptance: []float64{0.9}}
		},
		"adapters":        func(p *Pool) { p.MaxAdapters = 2 },
		"no prefix cache": func(p *Pool) { p.PrefixCaching = false },
	}
}

// Whatever the mode: tokens, blocks, time and energy are conserved, at every step.
func TestEveryModeConserves(t *testing.T) {
	for name, set := range modes() {
		t.Run(name, func(t *testing.T) {
			cfg := drained(3)
			cfg.Adapters = AdapterTraffic{Count: 5, Share: 0.6, Zipf: 1}
			p := &cfg.Pools[0]
			p.KVBlocks = 60
			set(p)
			var f *Fleet
			cfg.OnStep = func(s StepTruth) {
				w := f.workers[s.Worker]
				if rows := s.PrefillTokens + max(s.DecodeSequences, w.stepWork.DecodeTokens); rows > p.MaxBatchedTokens || rows == 0 {
					t.Fatalf("%d rows in a step, budget %d", rows, p.MaxBatchedTokens)
				}
				checkSequences(t, w)
				checkBlocks(t, w)
			}
			var decode time.Duration
			var shares RequestShares
			var output, prompt int64
			cfg.OnRequest = func(r RequestTruth) {
				decode += time.Duration(math.Round((r.LastTokenSeconds - r.FirstTokenSeconds) * 1e9))
				shares.PrefillSeconds += r.PrefillSeconds
				shares.DecodeSeconds += r.DecodeSeconds
				output += int64(r.OutputTokens)
				prompt += int64(r.PromptTokens)
			}
			f = start(t, cfg)
			finish(t, f)
			truth := f.Truth()
			_, wantPrompt, wantOutput := randomRequests(3, 200)
			if prompt != wantPrompt || output != wantOutput || truth.OutputTokens != output || truth.FinishedRequests != 200 {
				t.Errorf("%d prompt and %d output tokens of %d requests, want %d, %d of 200", prompt, output, truth.FinishedRequests, wantPrompt, wantOutput)
			}
			// Every token after the first came after an interval, and the intervals fill the time between first and last token.
			near(t, "intervals", truth.ITL.Sum, decode.Seconds())
			near(t, "prefill seconds", shares.PrefillSeconds, truth.PrefillSeconds)
			near(t, "decode seconds", shares.DecodeSeconds, truth.DecodeSeconds)
			for i, w := range f.workers {
				s := &w.sched
				if s.pool.free != s.pool.size || s.context != 0 || s.decodes != 0 || s.tokens != 0 || s.adapters.inUse != 0 {
					t.Errorf("worker %d is not empty: %d of %d blocks free, context %d, %d decodes, %d tokens, %d adapters",
						i, s.pool.free, s.pool.size, s.context, s.decodes, s.tokens, s.adapters.inUse)
				}
			}
		})
	}
}

// No mode depends on how the run is cut.
func TestEveryModeIsDeterministic(t *testing.T) {
	for name, set := range modes() {
		cfg := drained(5)
		cfg.Adapters, cfg.KVLedger = AdapterTraffic{Count: 5, Share: 0.6, Zipf: 1}, true
		set(&cfg.Pools[0])
		whole := everything(t, cfg, 8*time.Second)
		if !bytes.Equal(whole, everything(t, cfg, 100*time.Millisecond, 1234567*time.Microsecond, 5*time.Second, 8*time.Second)) {
			t.Errorf("%s: the result depends on how the run is cut into pieces", name)
		}
	}
}

func TestSchedulings(t *testing.T) {
	run := func(set func(*Pool)) (Truth, []StepTruth) {
		cfg := drained(4)
		cfg.Pools[0].KVBlocks = 200
		set(&cfg.Pools[0])
		var steps []StepTruth
		cfg.OnStep = func(s StepTruth) { steps = append(steps, s) }
		f := start(t, cfg)
		finish(t, f)
		return f.Truth(), steps
	}
	chunked, _ := run(func(*Pool) {})
	first, _ := run(func(p *Pool) { p.Scheduling, p.MaxBatchedTokens = PrefillFirst, 400 })
	whole, steps := run(func(p *Pool) { p.Scheduling, p.MaxBatchedTokens = WholePrompts, 400 })
	if chunked.MixedSteps == 0 || first.MixedSteps != 0 || whole.MixedSteps == 0 {
		t.Errorf("mixed steps: chunked %d, prefill first %d, whole prompts %d", chunked.MixedSteps, first.MixedSteps, whole.MixedSteps)
	}
	// Every step that computes a prompt ends it.
	if chunked.OutputSteps == chunked.Steps || first.OutputSteps != first.Steps || whole.OutputSteps != whole.Steps || len(steps) == 0 {
		t.Errorf("steps with output: chunked %d/%d, prefill first %d/%d, whole prompts %d/%d", chunked.OutputSteps, chunked.Steps,
			first.OutputSteps, first.Steps, whole.OutputSteps, whole.Steps)
	}
	// Prompts that go first make running answers wait.
	if first.ITL.Max <= chunked.ITL.Max {
		t.Errorf("longest interval: prefill first %g s, chunked %g s", first.ITL.Max, chunked.ITL.Max)
	}
	longest := 0
	_, steps = run(func(p *Pool) { p.MaxChunk, p.Workers = 8, 1 })
	for _, s := range steps {
		longest = max(longest, s.PrefillTokens)
	}
	// 12 sequences at most, each with a piece of 8.
	if longest > 96 || longest <= 8 {
		t.Errorf("at most %d prompt tokens in a step", longest)
	}
}

func TestSpeculationSavesStepsByItsAcceptance(t *testing.T) {
	run := func(s Speculative) Truth {
		cfg := small()
		cfg.Pools[0].MaxModelTokens, cfg.Pools[0].Speculative = 2048, s
		cfg.Workload = Script{{PromptTokens: 16, OutputTokens: 2001}}
		f := start(t, cfg)
		finish(t, f)
		return f.Truth()
	}
	none, all, half := run(Speculative{}), run(Speculative{Tokens: 3, Acceptance: []float64{1}}), run(Speculative{Tokens: 3, Acceptance: []float64{0.5}})
	if none.Steps != 2001 || all.Steps != 501 {
		t.Errorf("%d steps without, %d with four tokens a step; want 2001 and 501", none.Steps, all.Steps)
	}
	if none.DraftedTokens != 0 || all.AcceptedTokens != all.DraftedTokens || all.OutputTokens != 2001 {
		t.Errorf("drafted %d and %d, accepted %d", none.DraftedTokens, all.DraftedTokens, all.AcceptedTokens)
	}
	// Expected: 1 + 1/2 + 1/4 + 1/8 tokens a step.
	if perStep := 2000 / float64(half.Steps-1); math.Abs(perStep-1.875) > 0.1 {
		t.Errorf("%g tokens a step, want 1.875", perStep)
	}
	if rejected := run(Speculative{Tokens: 3, Acceptance: []float64{0}}); rejected.Steps != none.Steps || rejected.AcceptedTokens != 0 || rejected.BusySeconds <= none.BusySeconds {
		t.Errorf("nothing kept: %d steps in %g s, without speculation %d in %g s", rejected.Steps, rejected.BusySeconds, none.Steps, none.BusySeconds)
	}
}

func TestAdaptersShareNothingAndWaitForSlots(t *testing.T) {
	with := func(at time.Duration, adapter int) Request {
		return Request{At: at, PromptTokens: 64, OutputTokens: 4, PrefixID: 3, PrefixTokens: 64, Adapter: adapter}
	}
	cfg := small(with(0, 1), with(time.Second, 2), with(2*time.Second, 1))
	names := map[string]bool{}
	cfg.OnKV = func(b KVBatch) {
		for _, e := range b.Events {
			names[e.AdapterName] = true
		}
	}
	var cached []int
	cfg.OnRequest = func(r RequestTruth) { cached = append(cached, r.CachedTokens) }
	finish(t, start(t, cfg))
	if len(cached) != 3 || cached[0] != 0 || cached[1] != 0 || cached[2] != 48 {
		t.Errorf("cached tokens %v; want 0, 0 and 48", cached)
	}
	if len(names) != 2 || !names["adapter-1"] || !names["adapter-2"] {
		t.Errorf("events name %v", names)
	}

	// One slot: the second adapter waits for the first to leave, a request without adapter does not.
	cfg = small(with(0, 1), with(1, 2), with(2, 0))
	cfg.Pools[0].MaxAdapters, cfg.Pools[0].MaxBatchedTokens = 1, 256
	var order []int
	deferred, named := 0, false
	var f *Fleet
	cfg.OnRequest = func(r RequestTruth) { order = append(order, int(math.Round(r.ArrivalSeconds*1e9))) }
	cfg.OnStep = func(StepTruth) {
		state := f.workers[0].state()
		deferred = max(deferred, state.Deferred)
		running := len(state.RunningAdapters) > 0
		named = named || running
		if running && state.Deferred == 1 && (!slices.Equal(state.RunningAdapters, []string{"adapter-1"}) || !slices.Equal(state.WaitingAdapters, []string{"adapter-2"})) {
			t.Errorf("running %v, waiting %v", state.RunningAdapters, state.WaitingAdapters)
		}
	}
	f = start(t, cfg)
	finish(t, f)
	if len(order) != 3 || order[2] != 1 || deferred != 1 || !named {
		t.Errorf("requests finished in order of arrival %v, %d deferred; want the second last and 1", order, deferred)
	}
}

func TestAdapterTrafficFollowsZipf(t *testing.T) {
	choice := newAdapterChoice(AdapterTraffic{Count: 3, Share: 0.5, Zipf: 1})
	const n = 100_000
	var seen [4]float64
	for i := range uint64(n) {
		seen[choice.of(mix(1, i))]++
	}
	for i, want := range []float64{0.5, 0.5 * 6 / 11, 0.5 * 3 / 11, 0.5 * 2 / 11} {
		if got := seen[i] / n; math.Abs(got-want) > 0.01 {
			t.Errorf("adapter %d: share %g, want %g", i, got, want)
		}
	}
}

func TestSchedulerSettingsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`scheduling: must be chunked, whole_prompts or prefill_first, is "x"`: func(c *Config) { c.Pools[0].Scheduling = "x" },
		"max_num_batched_tokens: must be at least max_model_tokens 131072 with scheduling whole_prompts, is 2048": func(c *Config) {
			c.Pools[0].Scheduling = WholePrompts
		},
		"speculative.tokens: must be at least 0, is -1":                    func(c *Config) { c.Pools[0].Speculative.Tokens = -1 },
		"speculative.acceptance: must have at least 1 value":               func(c *Config) { c.Pools[0].Speculative.Tokens = 2 },
		"speculative.acceptance[0]: must be from 0 to 1, is 2":             func(c *Config) { c.Pools[0].Speculative.Acceptance = []float64{2} },
		"adapters.share: must be from 0 to 1, is -1":                       func(c *Config) { c.Adapters.Share = -1 },
		"adapters.zipf: must be from 0 to 10, is NaN":                      func(c *Config) { c.Adapters.Zipf = math.NaN() },
		"pools[0].long_prefill_token_threshold: must be at least 0, is -1": func(c *Config) { c.Pools[0].MaxChunk = -1 },
		"pools[0].kv_cache_metrics_sample: must be from 0 to 1, is 2":      func(c *Config) { c.Pools[0].ResidencySample = 2 },
		"pools[0].max_loras: must be at least 0, is -3":                    func(c *Config) { c.Pools[0].MaxAdapters = -3 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// A decode worker that computes some prompts itself: one under way can stand before requests whose KV arrived meanwhile, and take the
// budget from their decodes for some steps.
func TestPromptsUnderWayMayKeepNewerDecodesWaiting(t *testing.T) {
	var requests Script
	for i := range 60 {
		tokens := 40 + 11*i%97
		if i%6 == 0 {
			tokens = 500 // fetched
		}
		requests = append(requests, Request{At: time.Duration(i) * 4 * time.Millisecond, PromptTokens: tokens, OutputTokens: 5 + i%40})
	}
	cfg := split(SGLang, 1, 1, requests...)
	cfg.Handoff.LocalPrefillTokens = 200
	d := &cfg.Pools[1]
	d.MaxBatchedTokens, d.MaxNumSeqs = 24, 24
	var f *Fleet
	missed := 0
	cfg.OnStep = func(s StepTruth) {
		w := f.workers[s.Worker]
		checkSequences(t, w)
		checkBlocks(t, w)
		missed = max(missed, w.sched.late)
	}
	var decode, share float64
	cfg.OnRequest = func(r RequestTruth) {
		decode += r.LastTokenSeconds - r.FirstTokenSeconds
		share += r.PrefillSeconds + r.DecodeSeconds
	}
	f = start(t, cfg)
	finish(t, f)
	truth := f.Truth()
	near(t, "intervals", truth.ITL.Sum, decode)
	near(t, "shares", share, truth.BusySeconds)
	if missed == 0 || truth.FinishedRequests != 60 {
		t.Errorf("%d decodes missed a step, %d requests finished", missed, truth.FinishedRequests)
	}
}
