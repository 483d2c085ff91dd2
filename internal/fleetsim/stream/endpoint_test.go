package stream

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBadOptionsNameKeyAndValue(t *testing.T) {
	long := "ipc:///" + strings.Repeat("x", 120)
	for want, o := range map[string]KVOptions{
		`endpoint: must start with tcp:// or ipc://, got "udp://127.0.0.1:1"`:       {Endpoint: "udp://127.0.0.1:1"},
		`endpoint: port must be 0 to 65535, got "70000" in "tcp://127.0.0.1:70000"`: {Endpoint: "tcp://127.0.0.1:70000"},
		`endpoint: port plus rank must be at most 65535, got 65535+1`:               {Endpoint: "tcp://127.0.0.1:65535", Rank: 1},
		`rank: must be at least 0, got -1`:                                          {Rank: -1},
		`buffer_steps: must be at least 1, or 0 for 10000, got -1`:                  {BufferSteps: -1},
		`high_water_mark: must be at least 1, or 0 for 10000, got -5`:               {HighWaterMark: -5},
		`endpoint: path must have 1 to 107 bytes, got 121 in "` + long + `"`:        {Endpoint: long},
		`endpoint: path must have 1 to 107 bytes, got 0 in "ipc://"`:                {Endpoint: "ipc://"},
		`wire form: tensorrt_llm never sent array`:                                  {Wire: Wire{Dialect: TensorRTLLM, Form: FormArray}},
	} {
		_, err := NewKVPublisher(o)
		assert.EqualError(t, err, want)
	}
	_, err := NewKVPublisher(KVOptions{Endpoint: "tcp://127.0.0.1"})
	require.ErrorContains(t, err, `endpoint: must be tcp://host:port, got "tcp://127.0.0.1": `)
	_, err = NewKVPublisher(KVOptions{Endpoint: loopback, ReplayEndpoint: "tcp://127.0.0.1:x"})
	require.ErrorContains(t, err, `replay_endpoint: port must be 0 to 65535, got "x" in "tcp://127.0.0.1:x"`)
	_, err = NewPassPublisher(PassOptions{Dialect: 8})
	require.EqualError(t, err, "dialect: must be dynamo, vllm or sglang, got PassDialect(8)")
	_, err = NewPassPublisher(PassOptions{QueueSize: -1})
	require.EqualError(t, err, "queue_size: must be at least 1, or 0 for 10000, got -1")
}

func TestRankShiftsTheEndpoint(t *testing.T) {
	for _, c := range []struct {
		endpoint string
		rank     int
		suffix   string
		want     string
	}{
		{"tcp://*:5557", 0, "", "tcp://*:5557"},
		{"tcp://*:5557", 3, "_dp3", "tcp://*:5560"},
		{"tcp://[::1]:5557", 1, "_dp1", "tcp://[::1]:5558"},
		{"tcp://127.0.0.1:0", 3, "_dp3", "tcp://127.0.0.1:0"},
		{"ipc:///run/kv", 2, "_dp2", "ipc:///run/kv_dp2"},
		{"ipc:///run/fpm", 0, ".0", "ipc:///run/fpm.0"},
	} {
		got, err := ofRank("endpoint", c.endpoint, c.rank, c.suffix)
		require.NoError(t, err)
		assert.Equal(t, c.want, got)
	}
}

func TestWildcardIsReachedOnLoopback(t *testing.T) {
	ln, endpoint, err := bind("endpoint", "tcp://*:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	assert.True(t, strings.HasPrefix(endpoint, "tcp://127.0.0.1:"), endpoint)
}

func TestSocketFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	left, err := net.Listen("unix", path)
	require.NoError(t, err)
	_, err = NewKVPublisher(KVOptions{Endpoint: "ipc://" + path})
	require.ErrorContains(t, err, "is in use")
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, left.Close())
	p := newKV(t, KVOptions{Endpoint: "ipc://" + path})
	sub := subscribe(t, p, "")
	p.Publish(batchOf(0))
	receive(t, sub)
	require.NoError(t, p.Close())
	_, err = os.Stat(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("a file"), 0o600))
	_, err = NewKVPublisher(KVOptions{Endpoint: "ipc://" + path})
	require.ErrorContains(t, err, "is in use", "a file that is no socket is left alone")
}
