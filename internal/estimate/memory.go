package estimate // import "github.com/otelcol-inference/otelcol-inference/internal/estimate"

import (
	"encoding/json"
	"fmt"
	"math"
)

// The memory of an estimator is JSON, so that a later version can say what it no longer understands. What was written is taken back
// whole or not at all.

type regressionMemory struct {
	A, Q            []float64
	YY, Fade, Fade2 float64
}

// MarshalJSON writes what was learnt; not the expectation, which the owner gives anew.
func (r *Regression) MarshalJSON() ([]byte, error) {
	return json.Marshal(regressionMemory{r.a, r.q, r.yy, r.fade, r.fade2})
}

// UnmarshalJSON takes it back into a problem of the same size.
func (r *Regression) UnmarshalJSON(text []byte) error {
	var m regressionMemory
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	if len(m.A) != r.n*r.n || len(m.Q) != r.n {
		return fmt.Errorf("regression must have %d unknowns (got %d)", r.n, len(m.Q))
	}
	for i := range r.n {
		if !(m.A[i*r.n+i] >= 0) {
			return fmt.Errorf("regression must have squares (got %v)", m.A[i*r.n+i])
		}
	}
	if !(m.Fade >= 0 && m.Fade2 >= 0 && m.YY >= 0) {
		return fmt.Errorf("regression must have weights (got %v, %v, %v)", m.Fade, m.Fade2, m.YY)
	}
	r.a, r.q, r.yy, r.fade, r.fade2 = m.A, m.Q, m.YY, m.Fade, m.Fade2
	return nil
}

type momentsMemory struct{ N, Sum, Sum2 float64 }

// MarshalJSON writes what was added up.
func (m *Moments) MarshalJSON() ([]byte, error) {
	return json.Marshal(momentsMemory{m.n, m.sum, m.sum2})
}

// UnmarshalJSON takes it back.
func (m *Moments) UnmarshalJSON(text []byte) error {
	var k momentsMemory
	if err := json.Unmarshal(text, &k); err != nil {
		return err
	}
	if !(k.N >= 0 && k.Sum2 >= 0) || math.IsInf(k.Sum, 0) {
		return fmt.Errorf("moments must have weights (got %v, %v)", k.N, k.Sum2)
	}
	m.n, m.sum, m.sum2 = k.N, k.Sum, k.Sum2
	return nil
}
