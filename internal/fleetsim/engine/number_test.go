package engine

import (
	"math"
	"testing"
)

func TestNumbers(t *testing.T) {
	forms := map[string]func([]byte, float64) []byte{"python": appendPython, "short": appendShort, "pointed": appendPointed}
	for form, cases := range map[string]map[string]float64{
		"python": {
			"0.0": 0, "45.0": 45, "0.001": 0.001, "1e-05": 0.00001, "-3.5": -3.5, "100000.0": 1e5, "999999.0": 999999, "1e+06": 1e6,
			"1.7325e+09": 1.7325e9, "1.7954785582857373e+09": 1795478558.2857373, "1.23456789e+08": 123456789, "1e+16": 1e16,
			"0.0001": 0.0001, "2.108035072e+09": 2108035072, "1.2345675e+06": 1234567.5, "-1.0": -1, "+Inf": math.Inf(1), "-Inf": math.Inf(-1),
			"NaN": math.NaN(), "1e+15": 1e15, "1.00000005e+06": 1000000.05,
		},
		"short":   {"0": 0, "45": 45, "-3": -3, "0.25": 0.25, "1000000": 1e6, "+Inf": math.Inf(1), "0.0019": 0.0019},
		"pointed": {"0.0": 0, "45.0": 45, "0.25": 0.25, "1000000.0": 1e6, "NaN": math.NaN()},
	} {
		for want, v := range cases {
			if got := string(forms[form](nil, v)); got != want {
				t.Errorf("%s(%g): got %s, want %s", form, v, got, want)
			}
		}
	}
}
