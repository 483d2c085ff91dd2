package physics

import (
	"os"

	"go.yaml.in/yaml/v3"
)

// figures reads the real constants.
func figures() (*Figures, error) {
	b, err := os.ReadFile("../figures.yaml")
	if err != nil {
		return nil, err
	}
	var f Figures
	return &f, yaml.Unmarshal(b, &f)
}

// split divides a step of the given noise at full speed.
func (m *Cost) split(w Work, noise float64) DemandShares {
	return m.Divide(m.Demand(w), w, Pace{Noise: noise, Speed: 1})
}
