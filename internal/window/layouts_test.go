package window

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLayoutsAreKeptOnce(t *testing.T) {
	var l Layouts
	of := func(values ...float64) []float64 { return l.Of(len(values), func(i int) float64 { return values[i] }) }
	one := of(1, 2, 3)
	assert.Equal(t, []float64{1, 2, 3}, one)
	assert.Same(t, &one[0], &of(1, 2, 3)[0])
	assert.Equal(t, []float64{1, 2, 4}, of(1, 2, 4))
	assert.Same(t, &one[0], &of(1, 2, 3)[0])
	for i := range 2 * maxLayouts {
		assert.Equal(t, []float64{float64(i), 9e9}, of(float64(i), 9e9))
	}
	assert.Len(t, l.known, maxLayouts)
	assert.Empty(t, of())
	assert.Equal(t, []float64{7}, (*Layouts)(nil).Of(1, func(int) float64 { return 7 }))
}

func TestALayoutThatIsKnownIsNotMadeAgain(t *testing.T) {
	var l Layouts
	values := []float64{1, 2, 3}
	l.Of(3, func(i int) float64 { return values[i] })
	assert.Zero(t, testing.AllocsPerRun(100, func() { l.Of(3, func(i int) float64 { return values[i] }) }))
}

// What was handed out is not held on to: of ten thousand workers that is half of the memory.
func TestAWindowThatWasTakenIsLetGo(t *testing.T) {
	a := newTestAligner(1, 0)
	bounds := []float64{1}
	for i := range int64(3) {
		a.Observe(0, (i+1)*5*second, 1, Value{Count: float64(i), Bounds: bounds, Counts: []float64{float64(i), 0}})
	}
	_, ok := a.Close()
	assert.True(t, ok)
	for _, g := range a.series[0].open[:cap(a.series[0].open)] {
		assert.Nil(t, g.increase.Counts)
	}
}
