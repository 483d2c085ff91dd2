package physics

import "testing"

func BenchmarkDemandDecode(b *testing.B) {
	m := costOf(b, "h200", "llama-3-70b", "vllm", "bf16", 4)
	b.ReportAllocs()
	var sum float64
	i := 0
	for b.Loop() {
		i++
		n := 1 + i&127
		sum += m.Demand(Work{DecodeSequences: n, DecodeContext: float64(n * (700 + i&1023))}).Seconds
	}
	sink = sum
}

func BenchmarkSplitDemandMixed(b *testing.B) {
	m := costOf(b, "h200", "llama-3-70b", "vllm", "bf16", 4)
	b.ReportAllocs()
	var sum float64
	i := 0
	for b.Loop() {
		i++
		n, p := 1+i&127, 1+i&2047
		w := onePrompt(float64(p))
		w.DecodeSequences, w.DecodeContext = n, float64(n*(700+i&1023))
		s := m.split(w, 1.01)
		sum += s.Prefill.Joules
	}
	sink = sum
}

// sink keeps the compiler from dropping the work.
var sink float64
