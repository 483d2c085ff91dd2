package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// iterations adds up TensorRT-LLM's records of single iterations, which the engine hands out once.
type iterations struct {
	began   pcommon.Timestamp // of the sums
	last    int64             // number of the last record; 0 before the first
	count   [3]float64        // by phase: prefill, decode, mixed
	seconds [3]float64
}

// iterationRecord is what is read of a record of trtllm-serve's JSON page.
type iterationRecord struct {
	Iter      int64   `json:"iter"`
	LatencyMS float64 `json:"iterLatencyMS"`
	InFlight  struct {
		Context    int `json:"numContextRequests"`
		Generation int `json:"numGenRequests"`
	} `json:"inflightBatchingStats"`
}

// mostLost bounds what the numbers of one list may say was lost, and longestIteration how long one took, in seconds: a year of steps
// of a millisecond, and an hour. More is no truth, and its sum would leave the range of its type.
const (
	mostLost         = 1 << 35
	longestIteration = 3600
)

// Iterations takes a JSON list of iteration records, whose sums are told with the next page. Reading that page took the records from
// all other readers, and theirs are lost here: lost says how many were, as the gaps in their numbers show. An error means that the
// body is no such list; nothing of it is taken then.
func (b *Book) Iterations(body []byte, at pcommon.Timestamp) (lost int64, err error) {
	var records []iterationRecord
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&records); err != nil {
		return 0, fmt.Errorf("not a list of iterations: %w", err)
	}
	if b.iterations == nil {
		b.iterations = &iterations{began: at}
	}
	for _, r := range records {
		lost = min(lost+b.iterations.take(r), mostLost)
	}
	return lost, nil
}

// take adds a record and returns how many before it were lost. A number that does not grow is an engine that began anew.
func (it *iterations) take(r iterationRecord) (lost int64) {
	if it.last > 0 && r.Iter > it.last {
		lost = min(r.Iter-it.last-1, mostLost)
	}
	it.last = r.Iter
	phase := 2
	switch {
	case r.InFlight.Context <= 0 && r.InFlight.Generation <= 0:
		return lost // it ran nothing
	case r.InFlight.Generation <= 0:
		phase = 0
	case r.InFlight.Context <= 0:
		phase = 1
	}
	if seconds := r.LatencyMS / 1000; seconds >= 0 && seconds <= longestIteration {
		it.count[phase]++
		it.seconds[phase] += seconds
	}
	return lost
}

// iterated writes the sums.
func (o *output) iterated() {
	it := o.book.iterations
	if it == nil {
		return
	}
	table := o.book.set.Vocabulary
	for i, phase := range [...]string{signal.PhasePrefill, signal.PhaseDecode, signal.PhaseMixed} {
		for _, s := range []struct {
			metric signal.Metric
			v      float64
		}{{table.busy, it.seconds[i]}, {table.iterations, it.count[i]}} {
			p := o.number(s.metric)
			p.SetStartTimestamp(it.began)
			p.SetDoubleValue(s.v)
			p.Attributes().PutStr(signal.AttrPhase, phase)
		}
	}
}
