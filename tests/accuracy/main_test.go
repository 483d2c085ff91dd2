package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestQuick(t *testing.T) {
	var out strings.Builder
	missed, err := run(options{quick: true}, &out)
	require.NoError(t, err)
	t.Log("\n" + out.String())
	assert.Zero(t, missed, out.String())
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		assert.Regexp(t, `^\S+ \S+ \S+ (pass|FAIL|told)$`, line)
		assert.Contains(t, line, "synthetic")
	}
}

func TestAnUnknownCheckIsAnError(t *testing.T) {
	_, err := run(options{only: []string{"A99"}}, &strings.Builder{})
	assert.ErrorContains(t, err, "A99")
}

func TestAMissingTraceIsAnError(t *testing.T) {
	_, err := run(options{quick: true, data: t.TempDir()}, &strings.Builder{})
	assert.ErrorContains(t, err, "AzureLLMInferenceTrace_conv.csv.gz")
}
