package fleetsim

import (
	"fmt"
	"time"
)

// FailurePolicy says what a decode worker does when the KV of a prompt cannot be had.
type FailurePolicy string

// Failure policies.
const (
	Recompute FailurePolicy = "recompute" // compute the prompt itself
	Fail      FailurePolicy = "fail"      // end the request with an error
)

// Handoff is how prefilled requests reach their decode worker.
type Handoff struct {
	// Lease is how long a prefill worker keeps KV that nobody fetches (vLLM: VLLM_NIXL_ABORT_REQUEST_TIMEOUT, 480 s).
	Lease time.Duration `json:"lease_ns" yaml:"lease"`
	// OnFailure is the policy for an expired lease, a failed transfer or a prefill worker that is gone.
	OnFailure FailurePolicy `json:"on_failure" yaml:"on_failure"`
	// LocalPrefillTokens keeps short prompts out of it: up to this length the decode worker computes them itself (Dynamo's
	// max_local_prefill_length); 0: every prompt is handed over.
	LocalPrefillTokens int `json:"local_prefill_tokens" yaml:"local_prefill_tokens"`
}

// DefaultHandoff is what vLLM does when nothing is set.
func DefaultHandoff() Handoff { return Handoff{Lease: 480 * time.Second, OnFailure: Recompute} }

func (h Handoff) validate() error {
	if h.Lease <= 0 {
		return fmt.Errorf("handoff.lease: must be above 0s, is %s", h.Lease)
	}
	if h.OnFailure != Recompute && h.OnFailure != Fail {
		return fmt.Errorf("handoff.on_failure: must be %s or %s, is %q", Recompute, Fail, h.OnFailure)
	}
	if h.LocalPrefillTokens < 0 {
		return fmt.Errorf("handoff.local_prefill_tokens: must be at least 0, is %d", h.LocalPrefillTokens)
	}
	return nil
}
