package owner

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A title leaves zeros of an environment, and its end if it is long: as seen of VLLM::EngineCore and VLLM::Worker of a real vLLM 0.32,
// which add variables of their own at the end.
func TestAnEnvironmentUnderATitleIsThatOfTheServer(t *testing.T) {
	zeros := &fstest.MapFile{Data: []byte(strings.Repeat("\x00", 600) + "TORCHINDUCTOR_COMPILE_THREADS=1\x00")}
	server := &fstest.MapFile{Data: []byte("UCX_TLS=tcp\x00NIXL_TELEMETRY_DIR=/dev/shm/nixl\x00")}
	of := func(sys fstest.MapFS, pid int) map[string]string {
		p, err := New(sys).describe(pid)
		require.NoError(t, err)
		return p.Environment
	}
	sys := tree()
	sys["20/environ"], sys["21/environ"], sys["22/environ"] = server, zeros, zeros
	assert.Equal(t, map[string]string{"UCX_TLS": "tcp", "NIXL_TELEMETRY_DIR": "/dev/shm/nixl"}, of(sys, 22))
	assert.Equal(t, of(sys, 22), of(sys, 21))

	// A server that has a title as well: what started it, a shell, may have had other variables.
	sys["20/cmdline"], sys["20/environ"] = &fstest.MapFile{Data: []byte("VLLM::APIServer_0\x00")}, zeros
	sys["1/environ"] = server
	assert.Nil(t, of(sys, 22), "not known, which is not empty")

	delete(sys, "20/environ")
	assert.Nil(t, of(sys, 22), "of another user")
	sys["22/environ"] = &fstest.MapFile{}
	assert.NotNil(t, of(sys, 22), "one without variables is known")
	assert.Empty(t, of(sys, 22))
}
