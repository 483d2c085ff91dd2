package estimate // import "github.com/otelcol-inference/otelcol-inference/internal/estimate"

import "math"

// Posterior finds positive unknowns of a model that is not linear in them: the most likely ones given samples with independent normal
// errors and an expectation of each unknown's logarithm. By Gauss-Newton steps in the logarithms, which keeps them positive and makes
// units not matter. Memory does not grow with samples: the caller keeps those.
type Posterior struct {
	n        int
	expected []float64 // of the unknowns
	weight   []float64 // of the expectation of each logarithm, 1/variance
	theta    []float64
	normal   []float64 // n*n, at theta
	right    []float64
	trial    []float64
	slope    []float64
	misfit   float64 // sum of the squared residuals of the samples at theta
	samples  float64
}

// NewPosterior expects the unknowns to be around expected, with the given standard deviations of their logarithms.
func NewPosterior(expected, deviation []float64) *Posterior {
	n := len(expected)
	p := &Posterior{
		n: n, expected: append([]float64(nil), expected...), weight: make([]float64, n), theta: append([]float64(nil), expected...),
		normal: make([]float64, n*n), right: make([]float64, n), trial: make([]float64, n), slope: make([]float64, n),
	}
	for i, d := range deviation {
		p.weight[i] = 1 / (d * d)
	}
	return p
}

const (
	maxSteps = 20
	// probe is the change of a logarithm by which slopes are taken, settled the change below which it is no use to go on.
	probe, settled = 1e-4, 1e-5
	// longest bounds the change of a logarithm in one step.
	longest = 0.7
)

// Fit takes samples 0..n-1, of which residual returns the error of the model with those unknowns in standard deviations. It starts from
// where the last one ended, and returns the unknowns, which the next call overwrites.
func (p *Posterior) Fit(n int, residual func(i int, theta []float64) float64) []float64 {
	cost := p.linearise(n, residual)
	for range maxSteps {
		step, ok := solveSymmetric(p.normal, p.right, p.n)
		if !ok {
			break
		}
		var size float64
		for _, s := range step {
			size = math.Max(size, math.Abs(s))
		}
		if size < settled {
			break
		}
		scale := math.Min(1, longest/size)
		old := append([]float64(nil), p.theta...)
		improved := false
		for range 6 { // halve a step that overshoots
			for i := range p.theta {
				p.theta[i] = old[i] * math.Exp(scale*step[i])
			}
			if c := p.cost(n, residual); c < cost {
				improved = true
				break
			}
			scale /= 2
		}
		if !improved {
			copy(p.theta, old)
			break
		}
		cost = p.linearise(n, residual)
	}
	return p.theta
}

// cost is the squared distance of samples and expectation.
func (p *Posterior) cost(n int, residual func(int, []float64) float64) (sum float64) {
	for i := range n {
		sum += square(residual(i, p.theta))
	}
	for i, w := range p.weight {
		sum += w * square(math.Log(p.theta[i]/p.expected[i]))
	}
	return sum
}

// linearise fills the normal equations of the next step and returns the cost.
func (p *Posterior) linearise(n int, residual func(int, []float64) float64) (cost float64) {
	clear(p.normal)
	clear(p.right)
	p.misfit, p.samples = 0, float64(n)
	for i := range n {
		r := residual(i, p.theta)
		p.misfit += r * r
		for j := range p.n {
			copy(p.trial, p.theta)
			p.trial[j] *= 1 + probe
			p.slope[j] = (residual(i, p.trial) - r) / probe
		}
		for j := range p.n {
			p.right[j] -= p.slope[j] * r
			for k := range p.n {
				p.normal[j*p.n+k] += p.slope[j] * p.slope[k]
			}
		}
	}
	cost = p.misfit
	for j, w := range p.weight {
		d := math.Log(p.theta[j] / p.expected[j])
		p.right[j] -= w * d
		p.normal[j*p.n+j] += w
		cost += w * d * d
	}
	return cost
}

// Unknowns are the most likely ones so far.
func (p *Posterior) Unknowns() []float64 { return p.theta }

// Scatter is the mean squared residual of the samples, at least 1: errors are not taken to be smaller than they were said to be.
func (p *Posterior) Scatter() float64 {
	if p.samples == 0 {
		return 1
	}
	return math.Max(1, p.misfit/p.samples)
}

// Variance is that of a function of the unknowns with the given derivatives by their logarithms. Before the first Fit it is the
// expectation's.
func (p *Posterior) Variance(gradient []float64) float64 {
	if p.samples == 0 {
		var v float64
		for i, g := range gradient {
			v += g * g / p.weight[i]
		}
		return v
	}
	z, ok := solveSymmetric(p.normal, gradient, p.n)
	if !ok {
		return math.Inf(1)
	}
	var v float64
	for i, g := range gradient {
		v += g * z[i]
	}
	return v * p.Scatter()
}

// Expect replaces the expectation, and the unknowns found so far by it.
func (p *Posterior) Expect(expected, deviation []float64) {
	*p = *NewPosterior(expected, deviation)
}

func square(x float64) float64 { return x * x }
