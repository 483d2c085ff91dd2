package estimate // import "github.com/otelcol-inference/otelcol-inference/internal/estimate"

import "math"

// Moments accumulates a faded mean and variance.
type Moments struct {
	forget       float64
	n, sum, sum2 float64
}

// NewMoments fades each older sample by forget in (0, 1].
func NewMoments(forget float64) *Moments { return &Moments{forget: forget} }

// Add takes a sample.
func (m *Moments) Add(x float64) {
	m.n = m.forget*m.n + 1
	m.sum = m.forget*m.sum + x
	m.sum2 = m.forget*m.sum2 + x*x
}

// Mean of the samples, 0 without any.
func (m *Moments) Mean() float64 {
	if m.n == 0 {
		return 0
	}
	return m.sum / m.n
}

// CV is the coefficient of variation: standard deviation over mean. It is 0 where the mean is.
func (m *Moments) CV() float64 {
	mean := m.Mean()
	if mean == 0 {
		return 0
	}
	return math.Sqrt(max(0, m.sum2/m.n-mean*mean)) / math.Abs(mean)
}

// Within is the probability that a normal error of zero mean and the given standard deviation is at most bound in size.
func Within(bound, sd float64) float64 {
	if sd <= 0 {
		return 1
	}
	return math.Erf(bound / (sd * math.Sqrt2))
}

// Below is the probability that a standard normal variable is below z.
func Below(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }
