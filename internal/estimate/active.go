package estimate

import "math"

// exact finds the minimum by active sets (Lawson and Hanson 1974, chapter 23), from wherever theta is: the unconstrained minimum over the
// unknowns that are not held at 0, of which those are held that it would make negative, until none that is held would rather be
// positive. Theta is never negative on the way, and stays at the best so far where unknowns cannot be told apart at all.
func (r *Regression) exact() {
	a, b := r.scaled()
	u, passive := make([]float64, r.n), make([]bool, r.n)
	for i := range r.n {
		u[i] = r.theta[i] * r.scale[i]
		passive[i] = u[i] > 0
	}
	for range 4 * r.n { // each round lowers the residual, so no set comes twice; rounding might make one
		if !descend(a, b, u, passive) {
			break
		}
		worst := r.wanted(a, b, u, passive)
		if worst < 0 {
			break
		}
		passive[worst] = true
	}
	for i := range r.n {
		if r.scale[i] > 0 {
			r.theta[i] = u[i] / r.scale[i]
		}
	}
}

// scaled is the problem in unknowns that make the diagonal 1. Rows of unknowns that no sample had are 0.
func (r *Regression) scaled() (a, b []float64) {
	a, b = make([]float64, r.n*r.n), make([]float64, r.n)
	for i := range r.n {
		if r.scale[i] == 0 {
			continue
		}
		b[i] = r.right(i) / r.scale[i]
		for j := range r.n {
			if r.scale[j] > 0 {
				a[i*r.n+j] = r.at(i, j) / (r.scale[i] * r.scale[j])
			}
		}
	}
	return a, b
}

// descend moves u to the minimum over the passive unknowns, and takes those out that reach 0 on the way. It returns false, and u as far as
// it came, where these cannot be told apart.
func descend(a, b, u []float64, passive []bool) bool {
	for range u {
		z, ok := minimum(a, b, passive)
		if !ok {
			return false
		}
		step := 1.0
		for i, p := range passive {
			if p && z[i] <= 0 {
				step = min(step, u[i]/(u[i]-z[i]))
			}
		}
		for i, p := range passive {
			if !p {
				continue
			}
			if u[i] += step * (z[i] - u[i]); u[i] <= 1e-14 && z[i] <= 0 {
				u[i], passive[i] = 0, false
			}
		}
		if step == 1 {
			return true
		}
	}
	return true
}

// minimum is that over the passive unknowns; the others are 0.
func minimum(a, b []float64, passive []bool) (z []float64, ok bool) {
	var at []int
	for i, p := range passive {
		if p {
			at = append(at, i)
		}
	}
	m, n := len(at), len(b)
	part, right := make([]float64, m*m), make([]float64, m)
	for i, fi := range at {
		right[i] = b[fi]
		for j, fj := range at {
			part[i*m+j] = a[fi*n+fj]
		}
	}
	found, ok := solveSymmetric(part, right, m)
	if !ok {
		return nil, false
	}
	z = make([]float64, n)
	for i, fi := range at {
		z[fi] = found[i]
	}
	return z, true
}

// wanted is the unknown held at 0 that lowers the residual most when it grows, -1 for none.
func (r *Regression) wanted(a, b, u []float64, passive []bool) int {
	worst, most := -1, 0.0
	for i := range b {
		most = max(most, 1e-10*math.Abs(b[i]))
	}
	for i, p := range passive {
		if p || r.scale[i] == 0 {
			continue
		}
		g := b[i]
		for j := range u {
			g -= a[i*r.n+j] * u[j]
		}
		if g > most {
			worst, most = i, g
		}
	}
	return worst
}
