// Package facts knows what is published of models and GPUs: sizes, shapes and peak rates. It is where a calibrated roofline starts
// from; what a worker really takes is fitted to its own windows.
package facts // import "github.com/otelcol-inference/otelcol-inference/internal/facts"

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/otelcol-inference/otelcol-inference/internal/objectives"
)

//go:embed facts.yaml
var embedded []byte

// Model is the shape of a transformer with grouped-query attention.
type Model struct {
	Names            []string `mapstructure:"names" yaml:"names"` // globs over the name in lower case
	Parameters       float64  `mapstructure:"parameters" yaml:"parameters"`
	ActiveParameters float64  `mapstructure:"active_parameters" yaml:"active_parameters"` // per token, of a mixture of experts; 0 for all
	Layers           float64  `mapstructure:"layers" yaml:"layers"`
	Heads            float64  `mapstructure:"heads" yaml:"heads"`
	KVHeads          float64  `mapstructure:"kv_heads" yaml:"kv_heads"`
	HeadSize         float64  `mapstructure:"head_size" yaml:"head_size"`
	Hidden           float64  `mapstructure:"hidden" yaml:"hidden"`

	_ struct{}
}

// Active is how many parameters a token passes through.
func (m Model) Active() float64 {
	if m.ActiveParameters > 0 {
		return m.ActiveParameters
	}
	return m.Parameters
}

// Device is a GPU.
type Device struct {
	Names     []string           `mapstructure:"names" yaml:"names"`                                     // globs over hw.name or hw.model in lower case
	FLOPS     map[string]float64 `mapstructure:"flops_per_second" yaml:"flops_per_second"`               // dense peak by type, FLOP/s
	Bandwidth float64            `mapstructure:"memory_bytes_per_second" yaml:"memory_bytes_per_second"` // B/s
	Link      float64            `mapstructure:"link_bytes_per_second" yaml:"link_bytes_per_second"`     // to its peers, one direction, B/s

	_ struct{}
}

// Book is what is known of models and devices.
type Book struct {
	Models []Model  `mapstructure:"models" yaml:"models"`
	GPUs   []Device `mapstructure:"gpus" yaml:"gpus"`

	_ struct{}
}

// Load returns the embedded book.
func Load() (Book, error) {
	var b Book
	if err := yaml.Unmarshal(embedded, &b); err != nil {
		return Book{}, fmt.Errorf("facts.yaml: %w", err)
	}
	return b, b.Check()
}

// Over returns the book with the entries of another before its own, so that they are found first.
func (b Book) Over(below Book) Book {
	return Book{
		Models: append(append([]Model(nil), b.Models...), below.Models...),
		GPUs:   append(append([]Device(nil), b.GPUs...), below.GPUs...),
	}
}

// Check names key, bound and value of every fault.
func (b Book) Check() error {
	var errs []error
	positive := func(key string, v float64) {
		if !(v > 0) {
			errs = append(errs, fmt.Errorf("%s must be positive (got %v)", key, v))
		}
	}
	named := func(key string, names []string) {
		if len(names) == 0 {
			errs = append(errs, fmt.Errorf("%s.names must have at least 1 entry (got 0)", key))
		}
	}
	for i, m := range b.Models {
		key := fmt.Sprintf("models[%d]", i)
		named(key, m.Names)
		positive(key+".parameters", m.Parameters)
		positive(key+".layers", m.Layers)
		positive(key+".heads", m.Heads)
		positive(key+".kv_heads", m.KVHeads)
		positive(key+".head_size", m.HeadSize)
		positive(key+".hidden", m.Hidden)
		if m.ActiveParameters < 0 || m.ActiveParameters > m.Parameters {
			errs = append(errs, fmt.Errorf("%s.active_parameters must be between 0 and parameters, which are %v (got %v)",
				key, m.Parameters, m.ActiveParameters))
		}
	}
	for i, d := range b.GPUs {
		key := fmt.Sprintf("gpus[%d]", i)
		named(key, d.Names)
		positive(key+".flops_per_second[bf16]", d.FLOPS[BF16])
		positive(key+".memory_bytes_per_second", d.Bandwidth)
		positive(key+".link_bytes_per_second", d.Link)
	}
	return errors.Join(errs...)
}

// Model finds a model by its name.
func (b Book) Model(name string) (Model, bool) {
	for _, m := range b.Models {
		if fits(m.Names, name) {
			return m, true
		}
	}
	return Model{}, false
}

// Device finds a GPU by any of its names.
func (b Book) Device(names ...string) (Device, bool) {
	for _, d := range b.GPUs {
		for _, name := range names {
			if fits(d.Names, name) {
				return d, true
			}
		}
	}
	return Device{}, false
}

func fits(globs []string, name string) bool {
	if name == "" {
		return false
	}
	for _, g := range globs {
		if objectives.Glob(strings.ToLower(g), strings.ToLower(name)) {
			return true
		}
	}
	return false
}
