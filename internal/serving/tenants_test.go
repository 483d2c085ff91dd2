package serving

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDivideDevice(t *testing.T) {
	parts := make([]float64, 2)
	rest := DivideDevice(100, 20, []Tenant{{Held: 0.5, Active: 0.6}, {Held: 0.5, Active: 0.2}}, 0, parts)
	assert.InDeltaSlice(t, []float64{70, 30}, parts, 1e-9, "idle by half, the rest three to one")
	assert.InDelta(t, 0, rest, 1e-9)

	rest = DivideDevice(100, 20, []Tenant{{Held: 3. / 7, Active: 0.5}, {Held: 2. / 7}}, 0.5, parts)
	assert.InDeltaSlice(t, []float64{20*3./7 + 40, 20 * 2. / 7}, parts, 1e-9)
	assert.InDelta(t, 20*2./7+40, rest, 1e-9, "slices that nobody holds, and a process that is no worker's")

	rest = DivideDevice(100, 0, []Tenant{{Held: 0.5}, {Held: 0.5}}, 0, parts)
	assert.InDeltaSlice(t, []float64{50, 50}, parts, 1e-9, "nobody ran")
	assert.InDelta(t, 0, rest, 1e-9)
}

// Whatever tenants do, their parts and the rest are the counter; order and the unit of activity do not matter.
func TestDivideDeviceIsComplete(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	for range 5000 {
		n := 1 + rng.IntN(7)
		tenants, parts := make([]Tenant, n), make([]float64, n)
		for i := range tenants {
			tenants[i] = Tenant{Held: rng.Float64() / float64(n), Active: rng.Float64() * float64(rng.IntN(2))}
		}
		amount, idle, others := 1000*rng.Float64(), 1200*rng.Float64(), rng.Float64()*float64(rng.IntN(2))
		rest := DivideDevice(amount, idle, tenants, others, parts)
		sum := rest
		for _, p := range parts {
			assert.GreaterOrEqual(t, p, 0.0)
			sum += p
		}
		assert.InDelta(t, amount, sum, 1e-9*max(1, amount))

		turned, again := make([]Tenant, n), make([]float64, n)
		for i, x := range tenants {
			turned[n-1-i] = Tenant{Held: x.Held, Active: 60 * x.Active}
		}
		assert.InDelta(t, rest, DivideDevice(amount, idle, turned, 60*others, again), 1e-6)
		for i := range parts {
			assert.InDelta(t, parts[i], again[n-1-i], 1e-6)
		}
	}
}
