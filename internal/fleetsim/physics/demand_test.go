package physics

import (
	"math"
	"strings"
	"testing"
)

// The tables behind the hot path must follow the measured curves they are read from.
func TestTablesFollowTheCurves(t *testing.T) {
	fig, err := figures()
	if err != nil {
		t.Fatal(err)
	}
	const bound = 0.002
	worst := 0.0
	compare := func(name string, x, got, want float64) {
		t.Helper()
		worst = math.Max(worst, math.Abs(got/want-1))
		if math.Abs(got/want-1) > bound {
			t.Errorf("%s(%g): table %g, curve %g", name, x, got, want)
		}
	}
	for name, gpu := range fig.GPUs {
		for precision := range gpu.GEMM {
			for _, tp := range []int{1, 4, 8} {
				for _, model := range []string{"llama-3-70b", "mixtral-8x7b"} {
					d := Deployment{Model: model, GPU: name, Stack: "vllm", Precision: precision, KVPrecision: bf16, TensorParallel: tp}
					m, err := fig.NewCost(d)
					if err != nil {
						t.Fatal(err)
					}
					k, err := newKernels(d, gpu)
					if err != nil {
						t.Fatal(err)
					}
					for x := 1e4; x < 5e9; x *= 1.037 {
						compare(name+" decode attention", x, m.attnDecode.at(x), k.decodeAttention.timeAt(x))
					}
					for x := 1e7; x < 1e14; x *= 1.037 {
						compare(name+" prefill attention", x, m.attnRate.at(x), k.attentionRate.at(x))
					}
					for rows := 1.0; rows < mostRows; rows = math.Ceil(rows * 1.023) {
						got, want := m.rows.at(rows), m.rowCost(k, fig.Models[model], precision, rows)
						compare(name+" products", rows, norm(got.gemm, got.stream)+got.memory+got.reduce,
							math.Pow(math.Pow(want.gemm, 5)+math.Pow(want.stream, 5), 0.2)+want.memory+want.reduce)
					}
				}
			}
		}
	}
	t.Logf("largest deviation %.3f %%", worst*100)
}

func TestDemandIsConsistent(t *testing.T) {
	for _, model := range []string{"llama-3-8b", "llama-3-70b", "qwen3-32b", "qwen3-30b-a3b", "mixtral-8x7b"} {
		m := costOf(t, "h200", model, "vllm", bf16, 4)
		for _, w := range []Work{onePrompt(1), onePrompt(700), onePrompt(8192), decodes(1, 100), decodes(64, 2000), decodes(256, 8000)} {
			d := m.Demand(w)
			for name, share := range map[string]float64{"tensor": d.Tensor, "SM": d.SM, "DRAM": d.DRAM, "NVLink": d.NVLink} {
				if !(share > 0 && share <= d.Seconds) {
					t.Errorf("%s %+v: %s active for %g of %g s", model, w, name, share, d.Seconds)
				}
			}
			if p := d.Joules / d.Seconds; p < m.IdlePower() || p > 4*700*1.01 {
				t.Errorf("%s %+v: %g W for the group", model, w, p)
			}
			if math.Abs(d.DRAMBytes/4.8e12-d.DRAM) > 1e-12 || d.FLOPs <= 0 {
				t.Errorf("%s %+v: %+v", model, w, d)
			}
		}
		if d := m.Demand(Work{}); d != (Demand{ClockRatio: 1}) {
			t.Errorf("%s: no work asks for %+v", model, d)
		}
	}
}

func TestSplitDemandAddsUp(t *testing.T) {
	m := costOf(t, "h200", "llama-3-70b", "vllm", bf16, 4)
	w := onePrompt(900)
	w.DecodeSequences, w.DecodeContext, w.Adapters = 40, 40*1200, 3
	s := m.split(w, 1.04)
	clean := m.Demand(w)
	if math.Abs(s.Step.Seconds/clean.Seconds-1.04) > 1e-12 || math.Abs(s.Step.Joules/clean.Joules-1.04) > 1e-12 || s.Step.Tensor != clean.Tensor {
		t.Errorf("noise: %+v of %+v", s.Step, clean)
	}
	for name, v := range map[string][5]float64{
		"seconds": {s.Step.Seconds, s.Prefill.Seconds, s.Decode.Seconds, s.Low.Seconds, s.High.Seconds},
		"joules":  {s.Step.Joules, s.Prefill.Joules, s.Decode.Joules, s.Low.Joules, s.High.Joules},
		"tensor":  {s.Step.Tensor, s.Prefill.Tensor, s.Decode.Tensor, s.Low.Tensor, s.High.Tensor},
		"SM":      {s.Step.SM, s.Prefill.SM, s.Decode.SM, s.Low.SM, s.High.SM},
		"DRAM":    {s.Step.DRAM, s.Prefill.DRAM, s.Decode.DRAM, s.Low.DRAM, s.High.DRAM},
	} {
		whole, prefill, decode, low, high := v[0], v[1], v[2], v[3], v[4]
		if math.Abs(prefill+decode-whole) > 1e-12*whole {
			t.Errorf("%s: %g and %g do not add up to %g", name, prefill, decode, whole)
		}
		if low > prefill || prefill > high || prefill <= 0 || decode <= 0 {
			t.Errorf("%s: prefill %g, decode %g, bounds %g to %g", name, prefill, decode, low, high)
		}
	}
	if want := m.Seconds(w.DecodeOnly()) * 1.04; s.DecodeAlone != want {
		t.Errorf("decode alone %g, want %g", s.DecodeAlone, want)
	}
}

func TestExpertsTouched(t *testing.T) {
	fig, err := figures()
	if err != nil {
		t.Fatal(err)
	}
	moe := fig.Models["mixtral-8x7b"]
	for rows, want := range map[float64]float64{1: 2, 2: 3.5, 64: 8} {
		if got := moe.touchedExperts(rows); math.Abs(got-want) > 1e-6 {
			t.Errorf("%g rows touch %g experts, want %g", rows, got, want)
		}
	}
	if got := fig.Models["llama-3-8b"].touchedExperts(5); got != 1 {
		t.Errorf("a dense model has %g experts", got)
	}
	// Few rows read few experts, many rows all: 46.7e9 parameters of 2 bytes less the input embedding.
	m := costOf(t, "h200", "mixtral-8x7b", "vllm", bf16, 1)
	one, many := m.rows.at(1).weightBytes, m.rows.at(512).weightBytes
	if one > 0.31*many || math.Abs(many-2*(46.7e9-32000*4096)) > 1e6 {
		t.Errorf("1 row reads %g B, 512 rows %g B", one, many)
	}
}

func TestPrecisionOfTheKVCache(t *testing.T) {
	fig, err := figures()
	if err != nil {
		t.Fatal(err)
	}
	d := Deployment{Model: "llama-3-70b", GPU: "h200", Stack: "vllm", Precision: fp8, TensorParallel: 4}
	wide, err := fig.NewCost(d)
	if err != nil {
		t.Fatal(err)
	}
	d.KVPrecision = fp8
	narrow, err := fig.NewCost(d)
	if err != nil {
		t.Fatal(err)
	}
	w := decodes(64, 8000)
	a, b := wide.Demand(w), narrow.Demand(w)
	if got, want := a.DRAMBytes-b.DRAMBytes, 64*8000*327680.0/2/4; math.Abs(got/want-1) > 1e-9 {
		t.Errorf("FP8 keys and values save %g B, want %g B", got, want)
	}
	if b.Seconds >= a.Seconds {
		t.Errorf("FP8 keys and values are not faster: %g and %g s", b.Seconds, a.Seconds)
	}
}

func TestSpeculationAndAdaptersCost(t *testing.T) {
	fig, err := figures()
	if err != nil {
		t.Fatal(err)
	}
	d := Deployment{Model: "llama-3-70b", GPU: "h200", Stack: "vllm", Precision: bf16, TensorParallel: 4, DraftShare: 0.05}
	m, err := fig.NewCost(d)
	if err != nil {
		t.Fatal(err)
	}
	plain := decodes(8, 1000)
	verify := plain
	verify.DecodeTokens = 8 * 4
	extra := m.Seconds(verify) - m.Seconds(plain)
	// Three passes of a draft of 5 % and 24 more rows that are nearly free.
	if extra < 0.10*m.Seconds(plain) || extra > 0.30*m.Seconds(plain) {
		t.Errorf("verifying 3 drafts adds %.1f %%", 100*extra/m.Seconds(plain))
	}
	adapted := plain
	adapted.Adapters = 1
	one := m.Seconds(adapted)
	adapted.Adapters = 8
	eight := m.Seconds(adapted)
	if one <= m.Seconds(plain) || eight <= one || eight > 1.5*m.Seconds(plain) {
		t.Errorf("without adapters %g s, one %g s, eight %g s", m.Seconds(plain), one, eight)
	}
	if got := plain.DecodeOnly(); got != plain {
		t.Errorf("decode-only part of %+v is %+v", plain, got)
	}
}

// Every row that verifies a proposal attends to the whole context, which is read once.
func TestVerifiedRowsAttendToTheContext(t *testing.T) {
	m := costOf(t, "h200", "llama-3-8b", "vllm", bf16, 1)
	n := 16.0
	attention := func(rows int, context float64) (flops, bytes, tensor, seconds float64) {
		w, none := decodes(16, context), decodes(16, 0)
		w.DecodeTokens, none.DecodeTokens = 16*rows, 16*rows
		a, b := m.Demand(w), m.Demand(none)
		return a.FLOPs - b.FLOPs, a.DRAMBytes - b.DRAMBytes, a.Tensor - b.Tensor, a.Seconds - b.Seconds
	}
	// 4 FLOP per layer, head, dimension, row and token; 2 values of 2 bytes per layer, KV head, dimension and token.
	for _, rows := range []int{1, 4} {
		flops, bytes, tensor, _ := attention(rows, 8000)
		want := 4 * 32 * 32 * 128 * n * 8000 * float64(rows)
		if math.Abs(flops/want-1) > 1e-9 || math.Abs(tensor*989e12/want-1) > 1e-6 || math.Abs(bytes/(2*2*32*8*128*n*8000)-1) > 1e-9 {
			t.Errorf("%d rows: %g FLOP, want %g; %g tensor seconds; %g B", rows, flops, want, tensor, bytes)
		}
	}
	_, _, _, one := attention(1, 8000)
	_, _, _, four := attention(4, 8000)
	_, _, _, hundred := attention(100, 8000)
	if math.Abs(four/one-1) > 1e-9 || hundred < 1.5*one {
		t.Errorf("attention of 1 row takes %g s, of 4 %g s, of 100 %g s", one, four, hundred)
	}
}

func TestDeploymentErrorsNameKeyBoundAndValue(t *testing.T) {
	fig, err := figures()
	if err != nil {
		t.Fatal(err)
	}
	valid := Deployment{Model: "llama-3-8b", GPU: "h100", Stack: "vllm", Precision: bf16, TensorParallel: 1}
	for want, change := range map[string]func(*Deployment){
		"tensor_parallel: must be 1, 2, 4 or 8, is 3":                                  func(d *Deployment) { d.TensorParallel = 3 },
		"power_limit: must be from 200 to 700 W on h100, or 0 for its TDP, is 100":     func(d *Deployment) { d.PowerLimit = 100 },
		"draft_share: must be from 0 to 1, is 2":                                       func(d *Deployment) { d.DraftShare = 2 },
		`kv_precision: unknown value "int4"; known: bf16, fp8`:                         func(d *Deployment) { d.KVPrecision = "int4" },
		`precision: unknown value "fp4"; known: bf16, fp8`:                             func(d *Deployment) { d.Precision = "fp4" },
		`gpu: unknown value "mi300"; known: a100, b200, h100, h200`:                    func(d *Deployment) { d.GPU = "mi300" },
		`stack: unknown value "x"; known: eager-2023, eager-2023-a100, vllm, vllm-`:    func(d *Deployment) { d.Stack = "x" },
		`model: unknown value "x"; known: llama-3-70b, llama-3-8b, mixtral-8x7b, qwen`: func(d *Deployment) { d.Model = "x" },
	} {
		d := valid
		change(&d)
		if _, err := fig.NewCost(d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
