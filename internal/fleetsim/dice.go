package fleetsim

import "math"

// Streams of dice, apart from those of random numbers.
const (
	pairStream     = 4 << 32
	transferStream = 5 << 32
	hiccupStream   = 6 << 32
)

// dice are random numbers that belong to one thing, whatever happens before or beside it: two runs that differ in a link only meet
// the same noise.
type dice struct{ key, thrown uint64 }

func (d *dice) bits() uint64 {
	d.thrown++
	return mix(d.key, d.thrown)
}

// split are further dice that belong to a part of the thing.
func (d *dice) split(part int) *dice { return &dice{key: mix(d.key^d.thrown, uint64(part))} }

// uniform is from 0 to below 1.
func (d *dice) uniform() float64 { return float64(d.bits()>>11) / (1 << 53) }

// normal has mean 0 and deviation 1 (Box and Muller 1958).
func (d *dice) normal() float64 {
	return math.Sqrt(-2*math.Log(1-d.uniform())) * math.Cos(2*math.Pi*d.uniform())
}

// exponential has mean 1.
func (d *dice) exponential() float64 { return -math.Log(1 - d.uniform()) }
