package live

import (
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
)

// Options say how a scenario is run.
type Options struct {
	Scenario scenario.Scenario
	Clock    Clock // nil: wall.Clock

	Listen      string  // of the first worker; worker i listens on port + i, port 0 takes free ports
	Control     string  // of the control server
	AllowRemote bool    // listen on addresses that are not loopback
	Speed       float64 // simulated seconds per second; 0: as fast as possible
	NoServers   bool    // do not listen at all: no pages, no ZeroMQ; files and spans as the scenario says

	// Files, "" for none: the ledger as JSON at the end; one JSON line per request, step, transfer, and per interval of truth.
	Ledger, Requests, Steps, Transfers, Truth string
	TruthEvery                                time.Duration // simulated

	// Endpoints is a file that is written when everything listens: the workers with their roles, as the endpoints of an llm_engine
	// receiver in JSON; "" for none.
	Endpoints string
}

// DefaultOptions run a scenario in real time on the ports of the documentation.
func DefaultOptions(s scenario.Scenario) Options {
	return Options{Scenario: s, Clock: wall.Clock{}, Listen: "127.0.0.1:18000", Control: "127.0.0.1:17999", Speed: 1, TruthEvery: 10 * time.Second}
}

func (o *Options) validate() error {
	var errs []error
	if !(o.Speed >= 0) {
		errs = append(errs, fmt.Errorf("speed: must be at least 0, is %g", o.Speed))
	}
	if o.TruthEvery < 0 || (o.TruthEvery == 0 && o.Truth != "") {
		errs = append(errs, fmt.Errorf("truth-every: must be above 0s, is %s", o.TruthEvery))
	}
	if !o.NoServers {
		errs = append(errs, checkAddress("listen", o.Listen, o.AllowRemote), checkAddress("control", o.Control, o.AllowRemote))
		if f := o.Scenario.Protocols.Frontend; f != nil {
			errs = append(errs, checkAddress("protocols.frontend.listen", f.Listen, o.AllowRemote))
		}
	}
	return errors.Join(errs...)
}
