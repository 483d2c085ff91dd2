package serving // import "github.com/otelcol-inference/otelcol-inference/internal/serving"

// Moves is what handing a prompt's KV to a decode worker costs.
type Moves struct {
	Base      float64 // s a transfer
	PerToken  float64 // s for the KV of a token, on one path, ranks in parallel
	SlowShare float64 // of the transfers, those that take the slow path
	Slow      float64 // s for the KV of a token there
	Wait      float64 // decode steps that a request is kept besides, on no path
}

// seconds is how long the KV of tokens is on the way.
func (m Moves) seconds(tokens float64, slow bool) float64 {
	if slow {
		return m.Base + m.Slow*tokens
	}
	return m.Base + m.PerToken*tokens
}

// slower is what transfers cost that take so many times as long on their paths.
func (m Moves) slower(by float64) Moves {
	m.Base, m.PerToken, m.Slow = by*m.Base, by*m.PerToken, by*m.Slow
	return m
}

const (
	// handOverSteps is how many decode steps the hand-over of a request that waits for nothing takes at most: beyond that requests queue for
	// decode workers, and what they wait is no constant.
	handOverSteps = 10
	// blocksWait is the share of a decode step that a request waits for its blocks, which engines give away between two steps, where more is not
	// known.
	blocksWait = 0.5
)

// fullLinks is the share of time from which on links that are busy make requests queue: which of them a transfer takes is chance.
const fullLinks = 0.7

// LinksFull reports whether the links between the phases are so busy on the current topology that requests queue for them.
func (s *Situation) LinksFull() bool {
	return s.Current.Split() && s.linksBusy(s.Workload, s.Current) > fullLinks
}

// HandOver sets what the hand-over to a decode worker takes besides the transfer and the first step there, by the mean time to first token of the
// decode workers, s, as measured on the current topology; negative where it is not known. How often an engine looks for new requests and for KV
// that has come is its own affair; that it costs one or two steps shows in this mean and nowhere else.
func (s *Situation) HandOver(measured float64) {
	if !s.Current.Split() || !s.plays(s.Workload, s.Current) {
		return
	}
	s.Moves.Wait = 0
	p := s.staged().play(s.Capability, s.Workload, s.Current)
	step := s.decodeStep(s.Workload, s.Current)
	s.Moves.Wait = blocksWait
	rehearsed := p.moving
	counted := p.counted()
	for i := range counted {
		rehearsed += (counted[i].first - counted[i].ready) / float64(len(counted))
	}
	most := handOverSteps*step + p.moving
	if measured >= 0 && measured < most && rehearsed < most {
		s.Moves.Wait = max(0, measured-rehearsed) / step
	}
}

// decodeStep is the duration of a step of decode workers that keep up, s: as many requests are in it as come while an answer lasts.
func (d *Capability) decodeStep(w Workload, t Topology) (step float64) {
	context := w.Prompt.Mean + w.Output.Mean/2
	batch := 1.0
	for range 20 { // converges by Sequence times the requests that come in a step
		step = d.Cost.Seconds(0, batch, batch*context)
		batch = max(1, min(d.Sequences, w.Rate*max(1, w.Output.Mean)*step/float64(t.Decode)))
	}
	return step
}
