package signal

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheTableIsConsistent(t *testing.T) {
	name := regexp.MustCompile(`^(up|(llm|gen_ai|nixl|hw|nvidia)(\.[a-z][a-z0-9_]*)+)$`)
	seen := map[string]bool{}
	for _, m := range All() {
		assert.Regexp(t, name, m.Name)
		assert.False(t, seen[m.Name], "%s is declared twice", m.Name)
		seen[m.Name] = true
		assert.NotEmpty(t, m.Unit, m.Name)
		assert.NotEmpty(t, m.Component, m.Name)
		assert.Regexp(t, `\.$`, m.Description, m.Name)
		assert.Contains(t, []Instrument{Gauge, Sum, UpDownCounter, Histogram}, m.Instrument, m.Name)
	}
	assert.Len(t, Index(All()), len(seen))
}

// TestAMetricOfSeveralComponentsIsOne: a backend keeps one description and one unit per name.
func TestAMetricOfSeveralComponentsIsOne(t *testing.T) {
	shared := 0
	declared := Index(All())
	for _, table := range tables() {
		for _, m := range table {
			one := declared[m.Name]
			if one.Component == m.Component {
				continue
			}
			shared++
			one.Component = m.Component
			assert.Equal(t, one, m)
		}
	}
	assert.Positive(t, shared)
}
