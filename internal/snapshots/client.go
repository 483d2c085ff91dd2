package snapshots

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Client opens the storage extension that a component names under storage.
func Client(ctx context.Context, host component.Host, named component.ID, kind component.Kind, self component.ID) (storage.Client, error) {
	extension, ok := host.GetExtensions()[named]
	if !ok {
		return nil, fmt.Errorf("storage must name an extension (got %s)", named)
	}
	from, ok := extension.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("storage must name a storage extension (got %s)", named)
	}
	client, err := from.GetClient(ctx, kind, self, "")
	if err != nil {
		return nil, fmt.Errorf("storage %s: %w", named, err)
	}
	return client, nil
}
