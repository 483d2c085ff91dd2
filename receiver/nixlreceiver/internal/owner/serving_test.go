package owner

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc"
)

func TestThePortOfAServerIsOnItsCommandLine(t *testing.T) {
	for line, want := range map[string]int{
		"/usr/bin/python3 /usr/local/bin/vllm serve /models/x --port 8100": 8100,
		"/usr/bin/python3 /usr/local/bin/vllm serve /models/x":             8000,
		"/usr/bin/python3 /usr/local/bin/vllm bench /models/serve":         0,
		"vllm serve x --port=9":     9,
		"vllm serve x --port 99999": 0,
		"vllm serve x --port":       8000,
		"python -u -m vllm.entrypoints.openai.api_server --model serve":            8000,
		"python3 /lib/python3/dist-packages/vllm/entrypoints/openai/api_server.py": 8000,
		"python3 -m sglang.launch_server --model-path /m --port 31000":             31000,
		"sglang serve --model-path /m":                                             30000,
		"python3 /usr/local/bin/trtllm-serve /m --port 1":                          1,
		"VLLM::Worker_TP0": 0,
		"bash":             0,
		"":                 0,
	} {
		assert.Equal(t, want, portOf(strings.Split(line, " ")), line)
	}
}

// tree is a vLLM server that listens at two ports, its engine core, and a worker of that.
func tree() fstest.MapFS {
	sys := proc(map[int]process{
		1: {name: "init"}, 20: {name: "vllm", cmdline: "python3\x00/usr/local/bin/vllm\x00serve\x00m\x00--port\x008100\x00"},
		21: {name: "core", cmdline: "VLLM::EngineCore\x00"}, 22: {name: "worker", cmdline: "VLLM::Worker_TP0\x00"},
	})
	for pid, parent := range map[int]int{1: 0, 20: 1, 21: 20, 22: 21} {
		stat := fmt.Sprintf("%d (x) S %d %s%d 0", pid, parent, strings.Repeat("0 ", 17), pid)
		sys[fmt.Sprint(pid)+"/stat"] = &fstest.MapFile{Data: []byte(stat)}
	}
	row := func(n int, port, state, inode string) string {
		return fmt.Sprintf("   %d: 0100007F:%s 00000000:0000 %s 00000000:00000000 00:00000000 00000000     0        0 %s 1 0000 100 0 0 10 0\n",
			n, port, state, inode)
	}
	sys["20/net/tcp"] = &fstest.MapFile{Data: []byte("  sl  local_address rem_address   st tx_queue ...\n" +
		row(0, "1FA4", "01", "70") + row(1, "1FA5", "0A", "71") + row(2, "1FA4", "0A", "72"))}
	sys["20/fd/5"] = &fstest.MapFile{Data: []byte("socket:[72]"), Mode: fs.ModeSymlink}
	return sys
}

func TestTheServerOfAnAgentIsItsAncestor(t *testing.T) {
	worker := hostproc.Process{PID: 22, Parent: 21}
	sys := tree()
	assert.Equal(t, 8100, New(sys).servingPort(worker))
	sys["20/fd/5"] = &fstest.MapFile{Data: []byte("socket:[70]"), Mode: fs.ModeSymlink}
	assert.Zero(t, New(sys).servingPort(worker), "a connection is no listener, and the listener is another's")
	sys = tree()
	sys["20/net/tcp6"] = sys["20/net/tcp"]
	delete(sys, "20/net/tcp")
	assert.Equal(t, 8100, New(sys).servingPort(worker), "IPv6")
	delete(sys, "20/net/tcp6")
	assert.Zero(t, New(sys).servingPort(worker), "it cannot be seen")
	sys = tree()
	delete(sys, "20/stat")
	assert.Zero(t, New(sys).servingPort(worker), "the server is gone")
}
