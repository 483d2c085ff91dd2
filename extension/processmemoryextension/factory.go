package processmemoryextension // import "github.com/otelcol-inference/otelcol-inference/extension/processmemoryextension"

import (
	"context"
	"os"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/otelcol-inference/otelcol-inference/extension/processmemoryextension/internal/metadata"
	"github.com/otelcol-inference/otelcol-inference/internal/wall"
)

// NewFactory returns the factory of the process_memory extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}

func create(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	gogc := os.Getenv("GOGC") != "" // as Go reads it: without a value it is not set
	return &processMemory{cfg: cfg.(*Config), log: set.Logger, clock: wall.Clock{}, gogc: gogc, giveBack: giveBack}, nil
}
