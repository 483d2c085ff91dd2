package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

// rooflineSample is a window of which the roofline learns.
type rooflineSample struct {
	passes Passes
	before float64 // tokens that a prompt token attends to, mean
	busy   float64 // s
}

// recounted is the sample with so many more steps that carry prefill, and as much fewer that do not.
func (x rooflineSample) recounted(by float64) rooflineSample {
	p := &x.passes
	by = max(-0.9*p.Mixed.Count, min(by, p.Decode.Count))
	if p.Mixed.Count <= 0 {
		return x
	}
	n, c := p.Mixed.Sequences/p.Mixed.Count, p.Mixed.Context/p.Mixed.Count
	p.Mixed.Count += by
	p.Decode.Count -= by
	sequences := min(by*n, p.Decode.Sequences)
	context := min(by*c, p.Decode.Context)
	p.Mixed.Sequences += sequences
	p.Decode.Sequences -= sequences
	p.Mixed.Context += context
	p.Decode.Context -= context
	return x
}

// rememberedSamples is how many windows the roofline is fitted to: 43 minutes at 5 s. They are the last ones, not some of each kind of
// window: the kind would be told from counts that are noisy, and keeping rare kinds longer would keep errors of the counts.
const rememberedSamples = 512

// packed is a rooflineSample in the little space that a fit needs of it.
type packed [11]float32

func pack(x rooflineSample) (k packed) {
	f, d, m := x.passes.Prefill, x.passes.Decode, x.passes.Mixed
	for i, v := range []float64{
		f.Count, f.PrefillTokens, d.Count, d.Sequences, d.Context, m.Count, m.PrefillTokens, m.Sequences, m.Context, x.before, x.busy,
	} {
		k[i] = float32(v)
	}
	return k
}

func (k packed) unpack() (x rooflineSample) {
	v := func(i int) float64 { return float64(k[i]) }
	x.passes.Prefill = Steps{Count: v(0), PrefillTokens: v(1)}
	x.passes.Decode = Steps{Count: v(2), Sequences: v(3), Context: v(4)}
	x.passes.Mixed = Steps{Count: v(5), PrefillTokens: v(6), Sequences: v(7), Context: v(8)}
	x.before, x.busy = v(9), v(10)
	return x
}

// samples are the last windows. The zero value is empty.
type samples struct {
	kept []packed
	next int
}

func (r *samples) add(x rooflineSample) {
	if len(r.kept) < rememberedSamples {
		r.kept = append(r.kept, pack(x))
		return
	}
	r.kept[r.next] = pack(x)
	r.next = (r.next + 1) % rememberedSamples
}

func (r *samples) len() int { return len(r.kept) }

func (r *samples) at(i int) rooflineSample { return r.kept[i].unpack() }
