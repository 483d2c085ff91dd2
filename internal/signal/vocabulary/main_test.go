package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func TestTheCommittedVocabularyIsCurrent(t *testing.T) {
	var want bytes.Buffer
	require.NoError(t, write(&want, signal.All()))
	got, err := os.ReadFile("../../../docs/vocabulary.md")
	require.NoError(t, err)
	assert.Equal(t, want.String(), string(got), "run make generate")
}
