package objectives // import "github.com/otelcol-inference/otelcol-inference/internal/objectives"

import (
	"errors"
	"fmt"
	"math"
)

// Prices lists what GPUs cost; the first whose glob fits a GPU applies to it.
type Prices []Price

// Price is that of one GPU for one hour.
type Price struct {
	// GPU is a glob over the name or the model of the device (hw.name, hw.model); empty fits all.
	GPU string `mapstructure:"gpu"`
	// PerHour is in Currency.
	PerHour float64 `mapstructure:"per_hour"`
	// Currency is a code such as USD.
	Currency string `mapstructure:"currency"`

	_ struct{}
}

// Check checks every price and reports all faults at once. One worker's cost is one sum, so that all have one currency.
func (p Prices) Check() error {
	var errs []error
	for i, one := range p {
		if !(one.PerHour >= 0) || math.IsInf(one.PerHour, 1) {
			errs = append(errs, fmt.Errorf("prices[%d].per_hour must not be negative (got %v)", i, one.PerHour))
		}
		if one.Currency == "" {
			errs = append(errs, fmt.Errorf("prices[%d].currency must be set (got \"\")", i))
		}
		if one.Currency != p[0].Currency {
			errs = append(errs, fmt.Errorf("prices[%d].currency must be %q as in prices[0] (got %q)", i, p[0].Currency, one.Currency))
		}
	}
	return errors.Join(errs...)
}

// For returns the price of a GPU that goes by any of the names.
func (p Prices) For(names ...string) (Price, bool) {
	for _, one := range p {
		for _, name := range names {
			if Glob(one.GPU, name) {
				return one, true
			}
		}
	}
	return Price{}, false
}

// Currency is that of all prices, empty without any.
func (p Prices) Currency() string {
	if len(p) == 0 {
		return ""
	}
	return p[0].Currency
}
