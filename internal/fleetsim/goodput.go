package fleetsim

import (
	"fmt"
	"time"
)

// Objectives are latency limits that every single request is held to; 0 is no limit.
type Objectives struct {
	TTFT time.Duration `json:"ttft_ns" yaml:"ttft"` // arrival to first token
	ITL  time.Duration `json:"itl_ns" yaml:"itl"`   // mean interval between the request's tokens
}

func (o Objectives) validate() error {
	if o.TTFT < 0 {
		return fmt.Errorf("objectives.ttft: must be at least 0s, is %s", o.TTFT)
	}
	if o.ITL < 0 {
		return fmt.Errorf("objectives.itl: must be at least 0s, is %s", o.ITL)
	}
	return nil
}

// Goodput counts finished requests by the objectives they met, each request once; requests that were lost or failed met none and
// are in no figure.
type Goodput struct {
	Requests int64 `json:"requests"`
	TTFT     int64 `json:"met_ttft"`
	ITL      int64 `json:"met_itl"`
	Both     int64 `json:"met_both"`
}

// observe counts a finished request; decode is the time from its first to its last token.
func (g *Goodput) observe(o Objectives, ttft, decode time.Duration, tokens int) {
	first := o.TTFT == 0 || ttft <= o.TTFT
	// A single token has no interval to be late.
	rest := o.ITL == 0 || decode <= o.ITL*time.Duration(tokens-1)
	g.Requests++
	if first {
		g.TTFT++
	}
	if rest {
		g.ITL++
	}
	if first && rest {
		g.Both++
	}
}

func (g *Goodput) add(o *Goodput) {
	g.Requests += o.Requests
	g.TTFT += o.TTFT
	g.ITL += o.ITL
	g.Both += o.Both
}
