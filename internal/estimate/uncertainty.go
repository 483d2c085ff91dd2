package estimate // import "github.com/otelcol-inference/otelcol-inference/internal/estimate"

import "math"

// ResidualScale is the mean squared residual of theta in units of the variances given to Add, corrected for the unknowns: 1
// means that the residuals are as large as those variances say. It is +Inf while there are no more samples than unknowns.
func (r *Regression) ResidualScale(theta []float64) float64 {
	sum := r.yy
	for i := range r.n {
		sum -= 2 * theta[i] * r.q[i]
		for j := range r.n {
			sum += theta[i] * theta[j] * r.a[i*r.n+j]
		}
	}
	n := r.EffectiveSamples()
	free := n - float64(r.n)
	if free <= 0 {
		return math.Inf(1)
	}
	return max(0, sum) / r.fade * n / free
}

// Variance is the variance of gradient*theta that the scatter of the residuals implies (delta method), over the unknowns that
// the constraint leaves free. ok is false when those are not separately determined.
func (r *Regression) Variance(theta, gradient []float64) (v float64, ok bool) {
	free := r.free(theta)
	m := len(free)
	if m == 0 {
		return 0, false
	}
	// Solve the system scaled to a unit diagonal: its pivots then tell collinearity apart from units.
	a, b := make([]float64, m*m), make([]float64, m)
	for i, fi := range free {
		for j, fj := range free {
			a[i*m+j] = r.at(fi, fj) / (r.scale[fi] * r.scale[fj])
		}
		b[i] = gradient[fi] / r.scale[fi]
	}
	z, ok := solveSymmetric(a, b, m)
	if !ok {
		return 0, false
	}
	for i := range m {
		v += b[i] * z[i]
	}
	return v * r.ResidualScale(theta) * r.fade2 / r.fade, true
}

// Condition is the condition number of the scaled design matrix over the unknowns that have samples: the square root of the
// ratio of the largest to the smallest eigenvalue of A with unit diagonal. Below 30 the unknowns are well told apart, above
// 100 they are not.
func (r *Regression) Condition() float64 {
	var used []int
	for i := range r.n {
		if r.a[i*r.n+i] > 0 {
			used = append(used, i)
		}
	}
	m := len(used)
	if m == 0 {
		return math.Inf(1)
	}
	a := make([]float64, m*m)
	for i, ui := range used {
		for j, uj := range used {
			a[i*m+j] = r.a[ui*r.n+uj] / math.Sqrt(r.a[ui*r.n+ui]*r.a[uj*r.n+uj])
		}
	}
	lo, hi := math.Inf(1), 0.0
	for _, e := range eigenvalues(a, m) {
		lo, hi = min(lo, e), max(hi, e)
	}
	if lo <= 0 {
		return math.Inf(1)
	}
	return math.Sqrt(hi / lo)
}

// solveSymmetric solves a*z = b for a symmetric positive definite a (n by n, unit diagonal) by Cholesky factors.
func solveSymmetric(a, b []float64, n int) (z []float64, ok bool) {
	const tiny = 1e-12
	l := make([]float64, n*n)
	for i := range n {
		for j := 0; j <= i; j++ {
			s := a[i*n+j]
			for k := range j {
				s -= l[i*n+k] * l[j*n+k]
			}
			if i == j {
				if s <= tiny {
					return nil, false
				}
				l[i*n+i] = math.Sqrt(s)
			} else {
				l[i*n+j] = s / l[j*n+j]
			}
		}
	}
	z = append([]float64(nil), b...)
	for i := range n {
		for k := range i {
			z[i] -= l[i*n+k] * z[k]
		}
		z[i] /= l[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			z[i] -= l[k*n+i] * z[k]
		}
		z[i] /= l[i*n+i]
	}
	return z, true
}

// eigenvalues of the symmetric n-by-n matrix a, which is overwritten, by cyclic Jacobi rotations.
func eigenvalues(a []float64, n int) []float64 {
	const sweeps = 50
	for range sweeps {
		var off float64
		for p := range n {
			for q := p + 1; q < n; q++ {
				off += a[p*n+q] * a[p*n+q]
				rotate(a, n, p, q)
			}
		}
		if off < 1e-24 {
			break
		}
	}
	e := make([]float64, n)
	for i := range n {
		e[i] = a[i*n+i]
	}
	return e
}

// rotate zeroes a[p][q] by one Jacobi rotation.
func rotate(a []float64, n, p, q int) {
	if a[p*n+q] == 0 {
		return
	}
	t := (a[q*n+q] - a[p*n+p]) / (2 * a[p*n+q])
	t = math.Copysign(1, t) / (math.Abs(t) + math.Sqrt(t*t+1))
	c := 1 / math.Sqrt(t*t+1)
	s := t * c
	for k := range n {
		kp, kq := a[k*n+p], a[k*n+q]
		a[k*n+p], a[k*n+q] = c*kp-s*kq, s*kp+c*kq
	}
	for k := range n {
		pk, qk := a[p*n+k], a[q*n+k]
		a[p*n+k], a[q*n+k] = c*pk-s*qk, s*pk+c*qk
	}
}
