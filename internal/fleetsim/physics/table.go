package physics

import "math"

// A step must cost well under a microsecond, so the measured curves are read from tables on a grid whose step is 1/128 of the
// octave the value lies in: the position needs only the bits of the floating-point number, no search and no logarithm.
const (
	tableBits = 7
	perOctave = 1 << tableBits
)

// gridPosition is the cell of x >= 1 and where in the cell it lies, from 0 to below 1.
func gridPosition(x float64) (cell int, fraction float64) {
	bits := math.Float64bits(x)
	const dropped = 52 - tableBits
	cell = int(bits>>dropped) - 1023<<tableBits
	return cell, float64(bits&(1<<dropped-1)) * (1.0 / (1 << dropped))
}

func gridIndex(x float64) int {
	cell, _ := gridPosition(x)
	return cell
}

// gridValue is the x at which a cell begins.
func gridValue(cell int) float64 {
	return math.Ldexp(1+float64(cell%perOctave)/perOctave, cell/perOctave)
}

// table is a function of one variable between two ends, y(lo) below and, beyond, constant or in proportion to x.
type table struct {
	lo, hi       float64
	y            []float64
	atLo, atHi   float64
	proportional bool
}

// newTable reads f from lo to hi.
func newTable(f func(float64) float64, lo, hi float64, proportional bool) table {
	t := table{lo: lo, hi: hi, atLo: f(lo), atHi: f(hi), proportional: proportional}
	for i := range gridIndex(hi/lo) + 2 {
		t.y = append(t.y, f(lo*gridValue(i)))
	}
	return t
}

func (t *table) at(x float64) float64 {
	switch {
	case x <= t.lo:
		return t.atLo
	case x < t.hi:
		i, f := gridPosition(x / t.lo)
		return t.y[i] + f*(t.y[i+1]-t.y[i])
	case t.proportional:
		return t.atHi * (x / t.hi)
	}
	return t.atHi
}

// norm is the p-norm of two times: the larger one, plus a little where they are close. An order p of 5 puts a GEMM of 128 rows 15 %
// above the flat part, as measured (design value "about 4 to 6"); a hard maximum would be the estimators' model, not ours. The fifth root of 1+u is a polynomial through
// its Chebyshev nodes on [0, 1], exact to 2e-6.
func norm(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if b == 0 {
		return a
	}
	r := b / a
	u := r * r
	u *= u * r
	return a * (1.00000149 + u*(0.19989151+u*(-0.07866243+u*(0.04160159+u*(-0.01822338+u*0.00409042)))))
}
