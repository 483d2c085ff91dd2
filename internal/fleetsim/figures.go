package fleetsim

import (
	"bytes"
	_ "embed"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

//go:embed figures.yaml
var figuresYAML []byte

// figures is the parsed figures.yaml; the file states units (in the keys) and sources.
type figures struct {
	physics.Figures `yaml:",inline"`
	Workloads       map[string]workloadFigures `yaml:"workloads"`
}

type workloadFigures struct {
	Source       string        `yaml:"source"`
	Rate         float64       `yaml:"requests_per_second"`
	CV           float64       `yaml:"interarrival_cv"`
	PromptTokens quantileTable `yaml:"prompt_tokens"`
	OutputTokens quantileTable `yaml:"output_tokens"`
}

// loadFigures parses the embedded file; unknown keys are errors so that a typing mistake cannot go unseen.
func loadFigures() (*figures, error) {
	dec := yaml.NewDecoder(bytes.NewReader(figuresYAML))
	dec.KnownFields(true)
	var f figures
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("figures.yaml: %w", err)
	}
	return &f, nil
}

// PhysicsFigures returns the constants of GPUs, models and serving software that fleets run on.
func PhysicsFigures() (*physics.Figures, error) {
	f, err := loadFigures()
	if err != nil {
		return nil, err
	}
	return &f.Figures, nil
}
