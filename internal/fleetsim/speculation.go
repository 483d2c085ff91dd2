package fleetsim

import (
	"fmt"
	"math/rand/v2"
)

// speculationStream is the first of the workers' random streams that decide which drafts are accepted.
const speculationStream = 3 << 32

// Speculative is speculative decoding: every decode proposes tokens and the step verifies them all at once.
type Speculative struct {
	Tokens int `json:"tokens" yaml:"tokens"` // proposed per sequence and step (num_speculative_tokens); 0 is off

	// Acceptance is the probability that the proposal at a position is kept, given that those before it were; the last value holds for
	// the positions after it.
	Acceptance []float64 `json:"acceptance,omitempty" yaml:"acceptance"`

	// DraftCost is the time of one pass of the draft model relative to a decode step of the model.
	DraftCost float64 `json:"draft_cost" yaml:"draft_cost"`
}

func (s Speculative) validate() error {
	if s.Tokens < 0 {
		return fmt.Errorf("speculative.tokens: must be at least 0, is %d", s.Tokens)
	}
	if s.Tokens > 0 && len(s.Acceptance) == 0 {
		return fmt.Errorf("speculative.acceptance: must have at least 1 value with speculative.tokens %d, has 0", s.Tokens)
	}
	for i, p := range s.Acceptance {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("speculative.acceptance[%d]: must be from 0 to 1, is %g", i, p)
		}
	}
	return nil
}

// verifier draws how many proposals of a sequence are kept.
type verifier struct {
	reach  []float64 // probability that at least i+1 proposals are kept
	kept   []int     // in this step, by position
	random *rand.Rand
}

// newVerifier prepares the draws of one worker; nil without speculation.
func newVerifier(s Speculative, seed uint64, worker int) *verifier {
	if s.Tokens == 0 {
		return nil
	}
	v := &verifier{random: rand.New(rand.NewPCG(seed, speculationStream+uint64(worker)))}
	v.kept = make([]int, s.Tokens)
	reach := 1.0
	for i := range s.Tokens {
		reach *= s.Acceptance[min(i, len(s.Acceptance)-1)]
		v.reach = append(v.reach, reach)
	}
	return v
}

// accepted draws for a sequence with the given number of proposals.
func (v *verifier) accepted(proposed int) int {
	u, n := v.random.Float64(), 0
	for n < proposed && u < v.reach[n] {
		n++
	}
	return n
}

// counts are the proposals kept in the step that begins, by position, for count to fill; nil without speculation.
func (v *verifier) counts() []int {
	if v == nil {
		return nil
	}
	clear(v.kept)
	return v.kept
}

// count notes that a sequence kept so many proposals.
func (v *verifier) count(kept int) {
	for i := range kept {
		v.kept[i]++
	}
}
