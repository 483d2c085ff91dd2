package window

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestBoundsAreKeptOnce for all Aligners that share their Shapes, and not without end.
func TestBoundsAreKeptOnce(t *testing.T) {
	shapes := &Shapes{}
	cfg := Config{Width: 5 * time.Second, MaxGap: time.Minute, Shapes: shapes}
	a, b := NewAligner(cfg, 1, 0), NewAligner(cfg, 1, 0)
	bounds := []float64{1, 2}
	v := Value{Bounds: bounds, Counts: []float64{0, 0, 0}}
	a.Observe(0, second, 1, v)
	b.Observe(0, second, 1, v)
	assert.Same(t, &a.series[0].last.Bounds[0], &b.series[0].last.Bounds[0])
	bounds[0] = -7
	assert.Equal(t, []float64{1, 2}, b.series[0].last.Bounds, "and are not the caller's")
	for i := range 2 * maxShapes {
		assert.Equal(t, []float64{float64(i)}, shapes.one([]float64{float64(i)}))
	}
	assert.Len(t, shapes.known, maxShapes)
}
