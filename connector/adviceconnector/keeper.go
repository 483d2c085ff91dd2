package adviceconnector // import "github.com/otelcol-inference/otelcol-inference/connector/adviceconnector"

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-inference/otelcol-inference/internal/snapshots"
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
	client, err := snapshots.Client(ctx, host, *id, component.KindConnector, self)
	if err != nil {
		return nil, err
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
