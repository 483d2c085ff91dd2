package physics

import (
	"fmt"
	"math"
	"slices"
)

// curve is a measured relation y(x), interpolated linearly in log x and held constant beyond its ends.
type curve struct {
	x, logX, y []float64
}

// newCurve checks that there is at least one point, x rises and is positive, and y is positive.
func newCurve(key string, points [][2]float64) (curve, error) {
	if len(points) == 0 {
		return curve{}, fmt.Errorf("%s: no points", key)
	}
	var c curve
	for i, p := range points {
		if p[0] <= 0 || p[1] <= 0 || (i > 0 && p[0] <= points[i-1][0]) {
			return curve{}, fmt.Errorf("%s: point %d is [%g, %g]; x and y must be above 0 and x must rise", key, i, p[0], p[1])
		}
		c.x = append(c.x, p[0])
		c.logX = append(c.logX, math.Log(p[0]))
		c.y = append(c.y, p[1])
	}
	return c, nil
}

// at returns y(x).
func (c curve) at(x float64) float64 {
	last := len(c.x) - 1
	if x <= c.x[0] {
		return c.y[0]
	}
	if x >= c.x[last] {
		return c.y[last]
	}
	i := 1
	for c.x[i] < x {
		i++
	}
	f := (math.Log(x) - c.logX[i-1]) / (c.logX[i] - c.logX[i-1])
	return c.y[i-1] + f*(c.y[i]-c.y[i-1])
}

// timeAt reads a curve of seconds against an amount of work: it interpolates both axes logarithmically and beyond the last
// point grows in proportion to the work, since a kernel at its best rate stays there.
func (c curve) timeAt(x float64) float64 {
	last := len(c.x) - 1
	if x <= c.x[0] {
		return c.y[0]
	}
	if x >= c.x[last] {
		return c.y[last] * x / c.x[last]
	}
	i := 1
	for c.x[i] < x {
		i++
	}
	f := (math.Log(x) - c.logX[i-1]) / (c.logX[i] - c.logX[i-1])
	return c.y[i-1] * math.Pow(c.y[i]/c.y[i-1], f)
}

func (c curve) first() float64 { return c.x[0] }
func (c curve) last() float64  { return c.x[len(c.x)-1] }

// highest is the largest y.
func (c curve) highest() float64 { return slices.Max(c.y) }
