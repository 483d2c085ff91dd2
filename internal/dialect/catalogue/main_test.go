package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
)

func TestTheCommittedCatalogueIsCurrent(t *testing.T) {
	var want bytes.Buffer
	require.NoError(t, write(&want, dialect.Tables()))
	got, err := os.ReadFile("../../../docs/engines.md")
	require.NoError(t, err)
	assert.Equal(t, want.String(), string(got), "run make generate")
}
