// Package estimate holds the plain numerics of the estimators: constrained recursive least squares, and the statistics that
// say how far a result can be trusted. It knows nothing of serving or of OpenTelemetry.
package estimate // import "github.com/otelcol-inference/otelcol-inference/internal/estimate"

import "math"

// Regression is a linear least-squares problem y = x*theta with theta >= 0, kept in information form so that memory does not
// grow with samples: A = sum w*x*x', q = sum w*x*y. Older samples fade by a forgetting factor.
//
// Solved by coordinate descent on the normal equations, which gives the same minimum as the batch problem, and by active sets where that
// creeps along a valley of nearly collinear unknowns.
type Regression struct {
	n      int
	forget float64
	a      []float64 // n*n, row by row
	q      []float64
	yy     float64 // sum w*y*y
	fade   float64 // sum of the forgetting weights alone
	fade2  float64 // sum of their squares
	theta  []float64
	scale  []float64

	prior    []float64 // expected theta; nil for none
	priorFor []float64 // precision of it, 1/variance in the units of theta
}

// NewRegression makes a problem of n unknowns. forget is the factor in (0, 1] by which a sample's weight falls with each
// later sample; 1/(1-forget) samples are remembered.
func NewRegression(n int, forget float64) *Regression {
	return &Regression{
		n: n, forget: forget,
		a: make([]float64, n*n), q: make([]float64, n),
		theta: make([]float64, n), scale: make([]float64, n),
	}
}

// maxSize bounds what is taken as a sample. Squares of larger numbers would drown all others for as long as they are remembered,
// or overflow for good.
const maxSize = 1e12

// Add takes the sample (x, y) with the given variance of y. It returns false and takes nothing when a number is not finite or
// absurdly large.
func (r *Regression) Add(x []float64, y, variance float64) bool {
	if !(math.Abs(y) <= maxSize) || !(variance > 0 && variance <= maxSize) {
		return false
	}
	for _, v := range x {
		if !(math.Abs(v) <= maxSize) {
			return false
		}
	}
	w := 1 / variance
	for i := range r.n {
		for j := range r.n {
			r.a[i*r.n+j] = r.forget*r.a[i*r.n+j] + w*x[i]*x[j]
		}
		r.q[i] = r.forget*r.q[i] + w*x[i]*y
	}
	r.yy = r.forget*r.yy + w*y*y
	r.fade = r.forget*r.fade + 1
	r.fade2 = r.forget*r.forget*r.fade2 + 1
	return true
}

// EffectiveSamples is (sum f)^2 / sum f^2 over the forgetting weights f: how many equally weighted samples the fit rests on.
func (r *Regression) EffectiveSamples() float64 {
	if r.fade2 == 0 {
		return 0
	}
	return r.fade * r.fade / r.fade2
}

// Toward pulls theta to an expectation, each unknown with the given standard deviation; one that is not positive is not pulled. It
// holds from the next Solve on, and only where the variances given to Add are in earnest does it weigh right against the samples.
// expected and deviation are copied.
func (r *Regression) Toward(expected, deviation []float64) {
	if r.prior == nil {
		r.prior, r.priorFor = make([]float64, r.n), make([]float64, r.n)
	}
	for i := range r.n {
		r.prior[i], r.priorFor[i] = expected[i], 0
		if deviation[i] > 0 {
			r.priorFor[i] = 1 / (deviation[i] * deviation[i])
		}
	}
}

// at is an element of the normal matrix, right one of its right side; both with the expectation in it.
func (r *Regression) at(i, j int) float64 {
	v := r.a[i*r.n+j]
	if i == j && r.prior != nil {
		v += r.priorFor[i]
	}
	return v
}

func (r *Regression) right(i int) float64 {
	if r.prior == nil {
		return r.q[i]
	}
	return r.q[i] + r.priorFor[i]*r.prior[i]
}

// maxSweeps bounds coordinate descent; with a handful of scaled unknowns it converges far earlier.
const maxSweeps = 200

// Solve returns theta >= 0 that minimises the weighted squared residual. The slice is reused by the next call.
func (r *Regression) Solve() []float64 {
	for i := range r.n {
		r.scale[i] = math.Sqrt(r.at(i, i))
	}
	for range maxSweeps {
		var moved, size float64
		for i := range r.n {
			if r.scale[i] == 0 {
				r.theta[i] = 0
				continue
			}
			g := r.right(i)
			for j := range r.n {
				if j != i {
					g -= r.a[i*r.n+j] * r.theta[j]
				}
			}
			next := max(0, g/r.at(i, i))
			moved = max(moved, math.Abs(next-r.theta[i])*r.scale[i])
			size = max(size, next*r.scale[i])
			r.theta[i] = next
		}
		if moved <= 1e-10*size {
			return r.theta
		}
	}
	r.exact()
	return r.theta
}

// free lists the unknowns that the constraint does not hold at 0.
func (r *Regression) free(theta []float64) (free []int) {
	for i := range r.n {
		if theta[i] > 0 {
			free = append(free, i)
		}
	}
	return free
}
