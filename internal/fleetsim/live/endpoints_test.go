package live

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a collector is pointed at has the streams too, else a demo of the KV cache would have no events.
func TestEndpointsNameTheStreams(t *testing.T) {
	o := DefaultOptions(load(t, "pools: [{workers: 2}]\nprotocols: {kv_events: {port: 0, replay_port: 0}, forward_passes: {port: 0}}"))
	o.Listen, o.Control, o.Endpoints = "127.0.0.1:0", "127.0.0.1:0", filepath.Join(t.TempDir(), "endpoints")
	r, err := Start(o)
	require.NoError(t, err)
	defer func() { assert.NoError(t, r.Close()) }()
	b, err := os.ReadFile(o.Endpoints)
	require.NoError(t, err)
	var list []struct {
		Endpoint      string            `json:"endpoint"`
		KVEvents      map[string]string `json:"kv_events"`
		ForwardPasses string            `json:"forward_passes"`
	}
	require.NoError(t, json.Unmarshal(b, &list))
	require.Len(t, list, 2)
	a := r.Addresses()
	for i, e := range list {
		assert.Equal(t, "http://"+a.Workers[i]+"/metrics", e.Endpoint)
		assert.Equal(t, map[string]string{"endpoint": a.KVEvents[i], "replay_endpoint": a.KVReplay[i]}, e.KVEvents)
		assert.Equal(t, a.ForwardPasses[i], e.ForwardPasses)
	}
}
