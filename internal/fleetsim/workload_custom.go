package fleetsim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Lengths is a distribution of numbers of tokens: points [probability, tokens] of its inverse distribution function, interpolated
// linearly, from probability 0 to 1.
type Lengths [][2]float64

// Uniform is the distribution between two numbers of tokens.
func Uniform(from, to float64) Lengths { return Lengths{{0, from}, {1, to}} }

// Custom is random traffic of a rate and of lengths of one's own, with the system prompts of Synthetic.
type Custom struct {
	Rate   float64 `yaml:"requests_per_second"` // over the whole fleet
	CV     float64 `yaml:"interarrival_cv"`     // coefficient of variation of the intervals; 1 is a Poisson process
	Prompt Lengths `yaml:"prompt_tokens"`
	Output Lengths `yaml:"output_tokens"`

	SharedPrefixShare  float64 `yaml:"shared_prefix_share"` // of the requests
	SharedPrefixes     int     `yaml:"shared_prefixes"`
	SharedPrefixTokens int     `yaml:"shared_prefix_tokens"` // cut to the prompt's length
}

func (c Custom) open(_ *figures, random *rand.Rand) (source, error) {
	if !(c.Rate > 0 && c.Rate < 1e6) {
		return nil, fmt.Errorf("workload.custom.requests_per_second: must be above 0 and below 1e6, is %g", c.Rate)
	}
	if !(c.CV > 0 && c.CV <= 100) {
		return nil, fmt.Errorf("workload.custom.interarrival_cv: must be above 0 and at most 100, is %g", c.CV)
	}
	row := workloadFigures{Rate: c.Rate, CV: c.CV, PromptTokens: quantileTable(c.Prompt), OutputTokens: quantileTable(c.Output)}
	s := Synthetic{
		Load: 1, SharedPrefixShare: c.SharedPrefixShare, SharedPrefixes: c.SharedPrefixes, SharedPrefixTokens: c.SharedPrefixTokens,
	}
	return s.openRow("workload.custom", row, random)
}

// Bursts lets another workload through in bursts only: it is on for For out of every Every, and its own time stands still meanwhile.
type Bursts struct {
	Of    Workload
	Every time.Duration
	For   time.Duration
}

func (b Bursts) open(f *figures, random *rand.Rand) (source, error) {
	if b.For <= 0 || b.For > b.Every {
		return nil, fmt.Errorf("workload.bursts.for: must be above 0s and at most every %s, is %s", b.Every, b.For)
	}
	inner, err := b.Of.open(f, random)
	if err != nil {
		return nil, inside("workload.bursts.of", err)
	}
	return &bursts{source: inner, every: b.Every, on: b.For}, nil
}

type bursts struct {
	source
	every, on time.Duration
}

func (b *bursts) next() (Request, bool, error) {
	r, ok, err := b.source.next()
	r.At = r.At/b.on*b.every + r.At%b.on
	return r, ok, err
}

// inside puts the error of a part at its place in the whole.
func inside(path string, err error) error {
	return errors.New(path + strings.TrimPrefix(err.Error(), "workload"))
}

// Mix is several open-loop workloads at once.
type Mix []Workload

func (m Mix) open(f *figures, random *rand.Rand) (source, error) {
	if len(m) == 0 {
		return nil, fmt.Errorf("workload.mix: must have at least 1 part, has 0")
	}
	x := &mixed{}
	for i, w := range m {
		if _, closed := w.(ClosedLoop); closed {
			return nil, fmt.Errorf("workload.mix[%d]: must not be a closed loop", i)
		}
		// Every part has a stream of its own, so that one does not change with the others.
		part, err := w.open(f, rand.New(rand.NewPCG(random.Uint64(), uint64(i))))
		if err != nil {
			return nil, inside(fmt.Sprintf("workload.mix[%d]", i), err)
		}
		x.parts = append(x.parts, mixPart{source: part})
	}
	return x, nil
}

type mixPart struct {
	source
	head   Request
	loaded bool // head holds the next request
	over   bool
}

type mixed struct {
	openLoop
	parts []mixPart
}

func (m *mixed) next() (Request, bool, error) {
	first := -1
	for i := range m.parts {
		p := &m.parts[i]
		if !p.loaded && !p.over {
			r, ok, err := p.next()
			if err != nil {
				return Request{}, false, fmt.Errorf("mix[%d]: %w", i, err)
			}
			p.head, p.loaded, p.over = r, ok, !ok
		}
		if p.loaded && (first < 0 || p.head.At < m.parts[first].head.At) {
			first = i
		}
	}
	if first < 0 {
		return Request{}, false, nil
	}
	m.parts[first].loaded = false
	return m.parts[first].head, true, nil
}

func (m *mixed) close() error {
	var err error
	for i := range m.parts {
		if e := m.parts[i].close(); e != nil {
			err = e
		}
	}
	return err
}
