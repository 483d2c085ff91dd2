package physics

import "testing"

// Work that is added never makes a step faster or cheaper, so that the marginal cost of a phase is never below 0.
func TestMoreRowsAreNeverFaster(t *testing.T) {
	everyCost(t, func(name string, m *Cost, _ GPU) {
		for _, n := range []int{0, 1, 17, 48, 200} {
			decode := decodes(n, 1000)
			last := m.Demand(decode)
			for p := 1; p <= 1200; p += 1 + p/60 {
				w := onePrompt(float64(p))
				w.DecodeSequences, w.DecodeContext = n, decode.DecodeContext
				d := m.Demand(w)
				if d.Seconds < last.Seconds*(1-1e-9) || d.Joules < last.Joules*(1-1e-9) {
					t.Errorf("%s: %d decodes with %d prompt tokens take %g s and %g J, with fewer %g s and %g J",
						name, n, p, d.Seconds, d.Joules, last.Seconds, last.Joules)
					break
				}
				last = d
			}
		}
		last := m.Demand(decodes(1, 1000))
		for n := 2; n <= 600; n++ {
			d := m.Demand(decodes(n, 1000))
			if d.Seconds < last.Seconds*(1-1e-9) || d.Joules < last.Joules*(1-1e-9) {
				t.Errorf("%s: %d decodes take %g s and %g J, one less %g s and %g J", name, n, d.Seconds, d.Joules, last.Seconds, last.Joules)
				break
			}
			last = d
		}
	})
}
