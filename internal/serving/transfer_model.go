package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

import (
	"math"

	"github.com/otelcol-inference/otelcol-inference/internal/estimate"
)

// TransferWindow is what the transfers of one observer (a NIXL agent, or an engine with all its ranks) added up to in a window.
type TransferWindow struct {
	Elapsed   float64 // s
	Count     float64 // transfers; of an engine that counts each rank, rank by rank
	Time      float64 // their durations, s
	Bytes     float64
	Post      float64 // of Time, submitting them, s; 0 where not told
	Pieces    float64 // descriptors; 0 where not told
	Durations Buckets // s; empty where not told
}

// Add adds another observer's.
func (w *TransferWindow) Add(o TransferWindow) {
	w.Elapsed = max(w.Elapsed, o.Elapsed)
	w.Count += o.Count
	w.Time += o.Time
	w.Bytes += o.Bytes
	w.Post += o.Post
	w.Pieces += o.Pieces
	w.Durations = w.Durations.plus(o.Durations)
}

// mean is a transfer's mean duration, s.
func (w TransferWindow) mean() float64 { return w.Time / w.Count }

// plus is b + o; b itself when the bounds differ.
func (b Buckets) plus(o Buckets) Buckets {
	if len(o.Counts) == 0 || len(b.Counts) > 0 && len(b.Counts) != len(o.Counts) {
		return b
	}
	sum := Buckets{Bounds: o.Bounds, Counts: make([]float64, len(o.Counts))}
	copy(sum.Counts, b.Counts)
	for i, c := range o.Counts {
		sum.Counts[i] += c
	}
	return sum
}

// TransferModel says what a transfer costs: T = Base + bytes / Bandwidth.
type TransferModel struct {
	Base, BaseLow, BaseHigh                float64 // s, with the 90 % interval
	Bandwidth, BandwidthLow, BandwidthHigh float64 // bytes/s of one transfer, with the 90 % interval
	MeanTime, MeanBytes                    float64 // of a transfer, s and bytes
	MeanPost                               float64 // s
	MeanPieces                             float64 // descriptors
	// Confidence is the probability that the bandwidth is right within 10 %.
	Confidence float64
}

// BaseShare is the share of a transfer's time that does not depend on its bytes.
func (m TransferModel) BaseShare() float64 {
	if m.MeanTime <= 0 {
		return 0
	}
	return min(1, m.Base/m.MeanTime)
}

const (
	// transferForgetting keeps about 400 windows: half an hour at 5 s.
	transferForgetting = 0.9975
	// minTransferWindows before a first model.
	minTransferWindows = 12
	// minSizeVariation is the least coefficient of variation of the mean transfer size over windows at which time for bytes and
	// time for transfers can be told apart.
	minSizeVariation = 0.05
	// transferNoise is the relative scatter of a transfer's time.
	transferNoise = 0.15
)

// TransferFit learns the model from windows, by weighted least squares of sum(T) on transfers and bytes. Noise is that of single
// transfers, so that the variance of a window's sum grows with its transfers.
type TransferFit struct {
	fit                      *estimate.Regression
	size, time, post, pieces *estimate.Moments
}

// NewTransferFit makes a fit that has learnt nothing.
func NewTransferFit() *TransferFit {
	moments := func() *estimate.Moments { return estimate.NewMoments(transferForgetting) }
	return &TransferFit{
		fit: estimate.NewRegression(2, transferForgetting), size: moments(), time: moments(), post: moments(), pieces: moments(),
	}
}

// gigabyte scales bytes, so that the fit's numbers are of one size.
const gigabyte = 1e9

// Add learns from a window with transfers; others say nothing.
func (f *TransferFit) Add(w TransferWindow) {
	if !(w.Count >= 1 && w.Time > 0 && w.Bytes > 0) {
		return
	}
	f.time.Add(w.mean())
	variance := w.Count * square(transferNoise*f.time.Mean())
	if !f.fit.Add([]float64{w.Count, w.Bytes / gigabyte}, w.Time, variance) {
		return
	}
	f.size.Add(w.Bytes / w.Count)
	f.post.Add(w.Post / w.Count)
	f.pieces.Add(w.Pieces / w.Count)
}

// Windows is how many windows the fit rests on.
func (f *TransferFit) Windows() float64 { return f.fit.EffectiveSamples() }

// Model is the fitted model. When it is withheld, MeanTime and MeanBytes are there all the same.
func (f *TransferFit) Model() (m TransferModel, withheld string) {
	m = TransferModel{MeanTime: f.time.Mean(), MeanBytes: f.size.Mean(), MeanPost: f.post.Mean(), MeanPieces: f.pieces.Mean()}
	switch {
	case f.fit.EffectiveSamples() < minTransferWindows:
		return m, WithheldWarmUp
	case f.size.CV() < minSizeVariation:
		return m, WithheldConstantLoad
	}
	theta := f.fit.Solve()
	variances := [2]float64{}
	for i := range variances {
		gradient := make([]float64, 2)
		gradient[i] = 1
		v, ok := f.fit.Variance(theta, gradient)
		if !ok || !(theta[1] > 0) {
			return m, WithheldUncertain
		}
		variances[i] = v
	}
	base, perByte := math.Sqrt(variances[0]), math.Sqrt(variances[1])
	m.Base, m.BaseLow, m.BaseHigh = theta[0], max(0, theta[0]-normal90*base), theta[0]+normal90*base
	m.Bandwidth = gigabyte / theta[1]
	m.BandwidthLow = gigabyte / (theta[1] + normal90*perByte)
	m.BandwidthHigh = gigabyte / max(theta[1]-normal90*perByte, theta[1]/100)
	m.Confidence = estimate.Within(0.1, perByte/theta[1])
	if !(normal90*perByte < maxHalfWidth*theta[1]) {
		return m, WithheldUncertain
	}
	return m, ""
}

// residual is how much longer than the model a window's transfers took, s in all. Where sizes hardly vary, and with them the model is not
// known, transfers are expected to take what they usually do.
func (m TransferModel) residual(w TransferWindow) float64 {
	if m.Bandwidth <= 0 {
		return w.Time - m.MeanTime*w.Count
	}
	return w.Time - m.Base*w.Count - w.Bytes/m.Bandwidth
}
