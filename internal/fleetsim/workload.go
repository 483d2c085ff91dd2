package fleetsim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// Workload is a stream of arrivals: Synthetic, Trace, ClosedLoop or Script.
type Workload interface {
	// open starts the stream from its beginning; the same random source gives the same stream.
	open(f *figures, random *rand.Rand) (source, error)
}

// source yields arrivals in order of time.
type source interface {
	// next returns the next arrival; false when there is none, for good or (closed loop) for now.
	next() (Request, bool, error)
	// completed tells that n requests finished at the given time, and answers whether that made new arrivals.
	completed(at time.Duration, n int) bool
	close() error
}

// openLoop is a source that does not care when requests finish and holds nothing open.
type openLoop struct{}

func (openLoop) completed(time.Duration, int) bool { return false }
func (openLoop) close() error                      { return nil }

// Synthetic is random traffic with the distributions of a published trace (a row of figures.yaml).
type Synthetic struct {
	Shape string  // azure-conversation or azure-code
	Load  float64 // multiplier of the published request rate, over the whole fleet

	// A share of the requests starts with one of SharedPrefixes prompts of SharedPrefixTokens tokens, cut to the prompt's length.
	SharedPrefixShare  float64
	SharedPrefixes     int
	SharedPrefixTokens int
}

func (s Synthetic) open(f *figures, random *rand.Rand) (source, error) {
	row, err := physics.Pick("workload.synthetic.shape", s.Shape, f.Workloads)
	if err != nil {
		return nil, err
	}
	return s.openRow("workload.synthetic", row, random)
}

// openRow starts traffic with the distributions of a row; path is where its settings stand.
func (s Synthetic) openRow(path string, row workloadFigures, random *rand.Rand) (source, error) {
	if !(s.Load > 0) || math.IsInf(s.Load, 0) {
		return nil, fmt.Errorf("%s.load: must be above 0, is %g", path, s.Load)
	}
	if !(s.SharedPrefixShare >= 0 && s.SharedPrefixShare <= 1) {
		return nil, fmt.Errorf("%s.shared_prefix_share: must be from 0 to 1, is %g", path, s.SharedPrefixShare)
	}
	if s.SharedPrefixShare > 0 && (s.SharedPrefixes < 1 || s.SharedPrefixTokens < 1) {
		return nil, fmt.Errorf("%s.shared_prefixes and shared_prefix_tokens: must be at least 1 with a shared_prefix_share, are %d and %d",
			path, s.SharedPrefixes, s.SharedPrefixTokens)
	}
	if err := row.PromptTokens.check(path + ".prompt_tokens"); err != nil {
		return nil, err
	}
	if err := row.OutputTokens.check(path + ".output_tokens"); err != nil {
		return nil, err
	}
	return &synthetic{cfg: s, row: row, random: random}, nil
}

type synthetic struct {
	openLoop
	cfg    Synthetic
	row    workloadFigures
	random *rand.Rand
	at     float64 // s
}

func (s *synthetic) next() (Request, bool, error) {
	// Gamma-distributed intervals have the coefficient of variation 1/sqrt(shape).
	shape := 1 / (s.row.CV * s.row.CV)
	s.at += gamma(s.random, shape) / shape / (s.row.Rate * s.cfg.Load)
	// Cut to whole tokens, not rounded: a quantile of whole numbers is the upper end of its step.
	r := Request{
		At:           time.Duration(s.at * float64(time.Second)),
		PromptTokens: int(s.row.PromptTokens.at(s.random.Float64())),
		OutputTokens: int(s.row.OutputTokens.at(s.random.Float64())),
	}
	if s.cfg.SharedPrefixShare > 0 && s.random.Float64() < s.cfg.SharedPrefixShare {
		r.PrefixID = uint64(1 + s.random.IntN(s.cfg.SharedPrefixes))
		r.PrefixTokens = min(s.cfg.SharedPrefixTokens, r.PromptTokens)
	}
	return r, true, nil
}

// gamma draws from the gamma distribution with the given shape and scale 1 (Marsaglia and Tsang 2000).
func gamma(random *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(random, shape+1) * math.Pow(1-random.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := random.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-random.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// ClosedLoop keeps a fixed number of requests going: a finished one is replaced at once, as load generators with a set
// concurrency do. For comparison with measured serving points.
type ClosedLoop struct {
	Concurrency  int
	PromptTokens int // mean
	OutputTokens int // mean
	// Spread is the half-width of the uniform distribution of both lengths, relative to the mean. Without it all requests stay in
	// step with each other for ever, which no load generator does.
	Spread float64
}

func (c ClosedLoop) open(_ *figures, random *rand.Rand) (source, error) {
	if c.Concurrency < 1 || c.PromptTokens < 1 || c.OutputTokens < 1 {
		return nil, fmt.Errorf("workload.closed_loop.concurrency, prompt_tokens and output_tokens: must be at least 1, are %d, %d and %d",
			c.Concurrency, c.PromptTokens, c.OutputTokens)
	}
	if !(c.Spread >= 0 && c.Spread < 1) {
		return nil, fmt.Errorf("workload.closed_loop.spread: must be from 0 to below 1, is %g", c.Spread)
	}
	return &closedLoop{cfg: c, random: random, due: c.Concurrency}, nil
}

type closedLoop struct {
	cfg    ClosedLoop
	random *rand.Rand
	sent   int
	at     time.Duration
	due    int // requests to send at that time
}

func (c *closedLoop) next() (Request, bool, error) {
	if c.due == 0 {
		return Request{}, false, nil
	}
	c.due--
	c.sent++
	r := Request{At: c.at, PromptTokens: c.length(c.cfg.PromptTokens), OutputTokens: c.length(c.cfg.OutputTokens)}
	// The first generation is caught at a random point of its answers, which spreads the later ones over time.
	if c.cfg.Spread > 0 && c.sent <= c.cfg.Concurrency {
		r.OutputTokens = 1 + c.random.IntN(r.OutputTokens)
	}
	return r, true, nil
}

func (c *closedLoop) length(mean int) int {
	return max(1, int(math.Round(float64(mean)*(1+c.cfg.Spread*(2*c.random.Float64()-1)))))
}

func (c *closedLoop) completed(at time.Duration, n int) bool {
	c.at = at
	c.due += n
	return n > 0
}

func (c *closedLoop) close() error { return nil }

// Script is a given list of arrivals in order of time.
type Script []Request

func (s Script) open(*figures, *rand.Rand) (source, error) {
	for i, r := range s {
		if r.PromptTokens < 1 || r.OutputTokens < 1 {
			return nil, fmt.Errorf("workload.script[%d]: prompt_tokens and output_tokens must be at least 1, are %d and %d", i, r.PromptTokens, r.OutputTokens)
		}
		if r.At < 0 || (i > 0 && r.At < s[i-1].At) {
			return nil, fmt.Errorf("workload.script[%d]: at must not be negative or go back, is %s", i, r.At)
		}
	}
	return &script{rest: s}, nil
}

type script struct {
	openLoop
	rest []Request
}

func (s *script) next() (Request, bool, error) {
	if len(s.rest) == 0 {
		return Request{}, false, nil
	}
	r := s.rest[0]
	s.rest = s.rest[1:]
	return r, true, nil
}
