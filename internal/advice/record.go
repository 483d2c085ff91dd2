package advice // import "github.com/otelcol-inference/otelcol-inference/internal/advice"

// recordKey is whose predictions are counted: a rule's, for one fleet.
type recordKey struct{ fleet, rule string }

// record is how the newest predictions came out, oldest first.
type record []bool

const (
	recordLength = 20  // predictions that count
	recordEnough = 3   // predictions from which a record says something
	recordPoor   = 0.5 // share of predictions that held, below which a rule is no longer told
)

func (r record) add(inside bool) record {
	r = append(r, inside)
	if len(r) > recordLength {
		r = append(record(nil), r[len(r)-recordLength:]...)
	}
	return r
}

// share is the share of predictions that held, 0 without any.
func (r record) share() float64 {
	held := 0
	for _, inside := range r {
		if inside {
			held++
		}
	}
	return float64(held) / float64(max(1, len(r)))
}

// poor reports whether the rule is to keep silent. It goes on predicting to itself, so that its record can recover.
func (r record) poor() bool { return len(r) >= recordEnough && r.share() < recordPoor }
