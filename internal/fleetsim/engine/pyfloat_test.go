package engine

import "testing"

func TestPyFloat(t *testing.T) {
	for want, v := range map[string]float64{
		"0.0": 0, "45.0": 45, "0.001": 0.001, "1e-05": 0.00001, "-3.5": -3.5, "100000.0": 1e5, "1e+06": 1e6, "1.7325e+09": 1.7325e9,
		"1.7954785582857373e+09": 1795478558.2857373, "1.23456789e+08": 123456789, "1e+16": 1e16, "0.0001": 0.0001, "2.108035072e+09": 2108035072,
	} {
		if got := pyFloat(v); got != want {
			t.Errorf("pyFloat(%g): got %s, want %s", v, got, want)
		}
	}
}
