package words

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNumbersReadWell(t *testing.T) {
	for s, want := range map[float64]string{
		0: "0 µs", 2.5e-6: "2.5 µs", 9.994e-4: "999 µs", 9.996e-4: "1 ms", 0.0321: "32.1 ms", 0.99949: "999 ms", 0.9996: "1 s", 75.31: "75.3 s", 1234: "1230 s", -0.25: "-250 ms", -2: "-2 s",
	} {
		assert.Equal(t, want, Seconds(s))
	}
	assert.Equal(t, "0.00012", Figure(0.000123, 2))
	assert.Equal(t, "-1.5", Figure(-1.54, 2))
	assert.Equal(t, "+Inf", Figure(math.Inf(1), 2))
	assert.Equal(t, "NaN", Figure(math.NaN(), 2))
	assert.Equal(t, "p90", Quantile(0.9))
	assert.Equal(t, "p99.9", Quantile(0.999))
	assert.Equal(t, "worker", Plural(1, "worker", "workers"))
	assert.Equal(t, "workers", Plural(0, "worker", "workers"))
}
