package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"encoding/json"
	"fmt"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

type splitterMemory struct {
	Fit, Prices           *estimate.Regression
	Batch                 float64
	PerUse                *estimate.Moments
	Length                Buckets
	PrefillTime, Finished float64
}

// MarshalJSON writes what was learnt.
func (s *Splitter) MarshalJSON() ([]byte, error) {
	return json.Marshal(splitterMemory{s.fit, s.priced.fit, s.priced.batch, s.perUse, s.length, s.prefillTime, s.finished})
}

// UnmarshalJSON takes it back. After an error the Splitter is of no use.
func (s *Splitter) UnmarshalJSON(text []byte) error {
	m := splitterMemory{Fit: s.fit, Prices: s.priced.fit, PerUse: s.perUse}
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	if n := len(m.Length.Counts); m.Fit == nil || m.Prices == nil || m.PerUse == nil || n > 0 && n != len(m.Length.Bounds)+1 {
		return fmt.Errorf("prompt lengths must have one count more than bounds, which are %d (got %d)", len(m.Length.Bounds), n)
	}
	s.length, s.prefillTime, s.finished, s.priced.batch = m.Length, m.PrefillTime, m.Finished, m.Batch
	return nil
}

type passMemory struct{ Decode, Prefill *estimate.Regression }

// MarshalJSON writes what was learnt.
func (s *PassSplitter) MarshalJSON() ([]byte, error) {
	return json.Marshal(passMemory{s.decode, s.prefill})
}

// UnmarshalJSON takes it back. After an error the PassSplitter is of no use.
func (s *PassSplitter) UnmarshalJSON(text []byte) error {
	m := passMemory{s.decode, s.prefill}
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	if m.Decode == nil || m.Prefill == nil {
		return fmt.Errorf("both fits must be there")
	}
	return nil
}

type pricerMemory struct {
	Fit  *estimate.Regression
	Rate *estimate.Moments
}

// MarshalJSON writes what was learnt.
func (p *Pricer) MarshalJSON() ([]byte, error) { return json.Marshal(pricerMemory{p.fit, p.rate}) }

// UnmarshalJSON takes it back. After an error the Pricer is of no use.
func (p *Pricer) UnmarshalJSON(text []byte) error {
	m := pricerMemory{p.fit, p.rate}
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	if m.Fit == nil || m.Rate == nil {
		return fmt.Errorf("fit and rate must be there")
	}
	return nil
}

type rooflineMemory struct {
	Theta   []float64
	Windows int
}

// resumedDeviation is how far the logarithms of a roofline's constants may be off after a restart: they were measured, and the worker may
// have changed meanwhile.
const resumedDeviation = 0.1

// MarshalJSON writes the constants that were found. The windows behind them are not kept.
func (s *RooflineSplitter) MarshalJSON() ([]byte, error) {
	return json.Marshal(rooflineMemory{s.fit.Unknowns(), s.windows})
}

// UnmarshalJSON takes the constants back as the expectation of the next fit.
func (s *RooflineSplitter) UnmarshalJSON(text []byte) error {
	var m rooflineMemory
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	if len(m.Theta) != rooflineUnknowns {
		return fmt.Errorf("roofline must have %d constants (got %d)", rooflineUnknowns, len(m.Theta))
	}
	for _, v := range m.Theta {
		if !(v > 0 && v <= 1) {
			return fmt.Errorf("constants of a roofline must be positive and at most 1 s (got %v)", v)
		}
	}
	if m.Windows < minSamples {
		return nil // nothing was fitted yet
	}
	s.fit.Expect(m.Theta, []float64{resumedDeviation, resumedDeviation, resumedDeviation, resumedDeviation})
	s.windows = minSamples
	return nil
}
