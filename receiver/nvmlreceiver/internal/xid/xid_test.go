package xid

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEachCodeIsThereOnceAndSaysSomething(t *testing.T) {
	all := meanings()
	assert.Len(t, NewTable().byCode, len(all), "a code is there twice")
	for i, m := range all {
		assert.NotEmpty(t, m.Text, m.Code)
		assert.LessOrEqual(t, m.Severity, Fatal, m.Code)
		if i > 0 {
			assert.Greater(t, m.Code, all[i-1].Code, "sorted by code")
		}
	}
}

func TestAFaultOfAProgramDoesNotDegradeTheGPU(t *testing.T) {
	table := NewTable()
	for _, code := range []uint64{13, 31, 43, 45, 68, 109} {
		assert.False(t, table.Lookup(code).Degrades(), code)
		assert.Equal(t, Application, table.Lookup(code).Class, code)
	}
	for _, code := range []uint64{48, 63, 64, 74, 79, 95, 119} {
		assert.True(t, table.Lookup(code).Degrades(), code)
	}
	assert.Equal(t, Fatal, table.Lookup(79).Severity)
	assert.Equal(t, Info, table.Lookup(45).Severity)
}

func TestAnUnknownCodeIsAWarning(t *testing.T) {
	got := NewTable().Lookup(4711)
	assert.Equal(t, Meaning{4711, Other, Warning, "a code that this version does not know"}, got)
	assert.True(t, got.Degrades())
}
