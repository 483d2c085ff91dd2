package adviceconnector // import "github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// stateKey is where the state is in the storage.
const stateKey = "advice"

// keeper keeps the state over a restart. A nil keeper keeps nothing.
type keeper struct {
	client  storage.Client
	failing atomic.Bool
}

func openKeeper(ctx context.Context, host component.Host, id *component.ID, self component.ID) (*keeper, error) {
	if id == nil {
		return nil, nil
	}
	extension, ok := host.GetExtensions()[*id]
	if !ok {
		return nil, fmt.Errorf("storage must name an extension (got %s)", id)
	}
	from, ok := extension.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("storage must name a storage extension (got %s)", id)
	}
	client, err := from.GetClient(ctx, component.KindConnector, self, "")
	if err != nil {
		return nil, fmt.Errorf("storage %s: %w", id, err)
	}
	return &keeper{client: client}, nil
}

func (k *keeper) load(ctx context.Context) ([]byte, error) {
	if k == nil {
		return nil, nil
	}
	return k.client.Get(ctx, stateKey)
}

func (k *keeper) save(ctx context.Context, data []byte) error {
	return k.client.Set(ctx, stateKey, data)
}

func (k *keeper) close(ctx context.Context) error {
	if k == nil {
		return nil
	}
	return k.client.Close(ctx)
}
