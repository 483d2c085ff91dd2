// Package objectives is the one configuration schema for latency objectives, shared by every component that judges by them,
// so that a chart, an estimate and an advice draw the same line.
package objectives // import "github.com/otelcol-inference/otelcol-inference/internal/objectives"

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Config lists objectives; the first whose match fits a worker applies to it.
type Config []Objective

// Objective is a pair of latency bounds for the workers that Match selects.
type Objective struct {
	Match Match `mapstructure:"match"`
	// TTFT bounds the time to first token.
	TTFT Bound `mapstructure:"ttft"`
	// ITL bounds the time between tokens.
	ITL Bound `mapstructure:"itl"`

	_ struct{}
}

// Match selects workers by globs (* any text, ? one character); an empty glob matches everything.
type Match struct {
	Model string `mapstructure:"model"`
	Fleet string `mapstructure:"fleet"`

	_ struct{}
}

// Bound says that the quantile of a latency shall be at most Max.
type Bound struct {
	Quantile float64       `mapstructure:"quantile"`
	Max      time.Duration `mapstructure:"max"`

	_ struct{}
}

// InForce is the objective that applies to one worker. A latency without a configured bound has an implied one, marked so.
type InForce struct {
	TTFT, ITL               Bound
	TTFTImplied, ITLImplied bool
}

// Implied bounds, for workers that no objective matches: what interactive chat is commonly held to (a first token within half
// a second, then twenty tokens a second, for nine requests in ten).
const (
	impliedQuantile = 0.9
	impliedTTFT     = 500 * time.Millisecond
	impliedITL      = 50 * time.Millisecond
)

// Check checks every bound and reports all faults at once. It is not called Validate: the collector would call it beside the component's
// own, which knows where the key stands, and say everything twice.
func (c Config) Check() error {
	var errs []error
	for i, o := range c {
		if o.TTFT == (Bound{}) && o.ITL == (Bound{}) {
			errs = append(errs, fmt.Errorf("objectives[%d]: needs ttft or itl (got neither)", i))
		}
		for _, b := range []struct {
			key   string
			bound Bound
		}{{"ttft", o.TTFT}, {"itl", o.ITL}} {
			if err := b.bound.validate(); err != nil {
				errs = append(errs, fmt.Errorf("objectives[%d].%s.%w", i, b.key, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (b Bound) validate() error {
	if b == (Bound{}) {
		return nil
	}
	if b.Quantile != 0 && !(b.Quantile > 0 && b.Quantile < 1) {
		return fmt.Errorf("quantile must be between 0 and 1 (got %v)", b.Quantile)
	}
	if b.Max <= 0 {
		return fmt.Errorf("max must be positive (got %v)", b.Max)
	}
	return nil
}

// For returns the objective in force for a worker of the given model and fleet.
func (c Config) For(model, fleet string) InForce {
	f := InForce{
		TTFT: Bound{Quantile: impliedQuantile, Max: impliedTTFT}, TTFTImplied: true,
		ITL: Bound{Quantile: impliedQuantile, Max: impliedITL}, ITLImplied: true,
	}
	for _, o := range c {
		if !Glob(o.Match.Model, model) || !Glob(o.Match.Fleet, fleet) {
			continue
		}
		if o.TTFT != (Bound{}) {
			f.TTFT, f.TTFTImplied = o.TTFT.withDefault(), false
		}
		if o.ITL != (Bound{}) {
			f.ITL, f.ITLImplied = o.ITL.withDefault(), false
		}
		break
	}
	return f
}

func (b Bound) withDefault() Bound {
	if b.Quantile == 0 {
		b.Quantile = impliedQuantile
	}
	return b
}

// Glob matches text against a pattern of * (any text) and ? (one character); an empty pattern fits everything. Model names contain
// slashes, which path globs would treat apart. It is called for every rule, worker and GPU that meet, so nothing is compiled: where text
// and pattern part, the last * takes one character more.
func Glob(pattern, text string) bool {
	if pattern == "" {
		return true
	}
	star, resume := -1, 0 // of pattern, the place behind the last *; of text, where what follows it was tried
	p, t := 0, 0
	for t < len(text) {
		_, width := utf8.DecodeRuneInString(text[t:])
		switch {
		case p < len(pattern) && pattern[p] == '*':
			p++
			star, resume = p, t
		case p < len(pattern) && pattern[p] == '?':
			p, t = p+1, t+width
		case p < len(pattern) && pattern[p] == text[t]:
			p, t = p+1, t+1
		case star >= 0:
			_, width = utf8.DecodeRuneInString(text[resume:])
			resume += width
			p, t = star, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
