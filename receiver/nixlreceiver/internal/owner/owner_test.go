package owner

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc"
	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
)

const library = "7f00-7f01 r-xp 00000000 08:01 77 /usr/lib/nixl_cu12.libs/libnixl-5.so"

type process struct {
	name, cmdline, environ, cgroup string
	start                          int
	maps                           []string
	verbs                          bool
}

func proc(processes map[int]process) fstest.MapFS {
	sys := fstest.MapFS{"meminfo": {}}
	for pid, p := range processes {
		at := fmt.Sprint(pid) + "/"
		stat := fmt.Sprintf("%d (%s) S 1 %s%d 0", pid, p.name, strings.Repeat("0 ", 17), p.start)
		for name, content := range map[string]string{
			"stat": stat, "maps": strings.Join(p.maps, "\n") + "\n", "cmdline": p.cmdline, "environ": p.environ, "cgroup": p.cgroup,
		} {
			sys[at+name] = &fstest.MapFile{Data: []byte(content)}
		}
		sys[at+"fd/0"] = &fstest.MapFile{Data: []byte("/dev/null"), Mode: fs.ModeSymlink}
		if p.verbs {
			sys[at+"fd/9"] = &fstest.MapFile{Data: []byte("/dev/infiniband/uverbs3"), Mode: fs.ModeSymlink}
		}
	}
	return sys
}

func ring(inode int, name string) string {
	return fmt.Sprintf("7f10-7f20 rw-s 00000000 00:1a %d                         /dev/shm/nixl/%s", inode, name)
}

// kernel marks the /proc of a whole host.
func kernel() process { return process{name: "kthreadd"} }

func TestTheOwnerIsFoundByItsMapping(t *testing.T) {
	id := nixl.FileID{Device: 0x1a, Inode: 500}
	sys := proc(map[int]process{
		2: kernel(),
		10: {name: "python3", start: 100, maps: []string{"7e-7f r--p 0 08:01 9 /lib/libc.so", library, ring(500, "u-u-i-d")},
			cmdline: "VLLM::Worker_TP0\x00", cgroup: "0::/kubepods.slice/kubepods-pod01234567_89ab_cdef_0123_456789abcdef.slice/cri-containerd-" +
				strings.Repeat("a", 64) + ".scope\n",
			environ: "HOME=/root\x00UCX_TLS=rc,cuda_copy\x00SECRET=x\x00NIXL_TELEMETRY_DIR=/dev/shm/nixl\x00UCX_LOG_FILE=y\x00", verbs: true},
		11: {name: "forked", start: 200, maps: []string{library, ring(500, "u-u-i-d")}},
		12: {name: "pmdanixl", start: 5, maps: []string{ring(500, "u-u-i-d")}},
		13: {name: "reader", maps: []string{strings.Replace(ring(500, "u-u-i-d"), "rw-s", "r--s", 1)}},
		14: {name: "quiet", maps: []string{library}, environ: "NIXL_TELEMETRY_ENABLE=n\x00", cmdline: "python\x00-m\x00sglang.launch_server\x00"},
	})
	found, err := New(sys).Find([]File{{ID: id, Base: "u-u-i-d"}, {ID: nixl.FileID{Device: 1, Inode: 501}, Base: "x"}})
	require.NoError(t, err)
	assert.True(t, found.Complete)
	require.Len(t, found.Owners, 1)
	assert.True(t, found.Readers[id], "pmdanixl")
	p := found.Owners[id]
	assert.Equal(t, hostproc.Process{PID: 10, Parent: 1, Name: "python3", Start: 100}, p.Process)
	assert.Equal(t, "vllm", p.Engine)
	assert.Equal(t, "0", p.LocalRank)
	assert.Equal(t, "01234567-89ab-cdef-0123-456789abcdef", p.PodUID)
	assert.Equal(t, strings.Repeat("a", 64), p.ContainerID)
	assert.Equal(t, VerbsOpen, p.Verbs)
	assert.Equal(t, map[string]string{"UCX_TLS": "rc,cuda_copy", "NIXL_TELEMETRY_DIR": "/dev/shm/nixl"}, p.Environment)
	require.Len(t, found.Silent, 1)
	assert.Equal(t, "sglang", found.Silent[0].Engine)
	assert.Equal(t, VerbsClosed, found.Silent[0].Verbs)
	assert.Equal(t, "n", found.Silent[0].Environment["NIXL_TELEMETRY_ENABLE"])
}

func TestTheEngineIsWhatRuns(t *testing.T) {
	for line, want := range map[string]string{
		"VLLM::Worker_TP0": "vllm", "VLLM::EngineCore": "vllm", "sglang::scheduler_TP1": "sglang",
		"sglang --model-path /data/vllm/llama":                             "sglang",
		"/usr/bin/python3 -m sglang.launch_server --model-path /data/vllm": "sglang",
		"/usr/bin/python3 /usr/local/bin/vllm serve /models/sglang":        "vllm",
		"python -u -m vllm.entrypoints.openai.api_server":                  "vllm",
		"python3 /usr/lib/python3/dist-packages/vllm/entrypoints/cli.py":   "vllm",
		"python3 /usr/local/bin/trtllm-serve /data/vllm":                   "tensorrt_llm",
		"python3 -m dynamo.vllm --model x":                                 "vllm",
		"python3 -m dynamo.mocker --model vllm":                            "dynamo",
		"python3 train.py --data /data/vllm":                               "",
		"python3 -m":                                                       "",
		"":                                                                 "",
	} {
		assert.Equal(t, want, engineOf(strings.Split(line, " ")), line)
	}
}

func TestTheRankIsInTheTitleOrTheEnvironment(t *testing.T) {
	env := map[string]string{"LOCAL_RANK": "3"}
	for _, c := range []struct {
		line        string
		environment map[string]string
		want        string
	}{
		{"VLLM::Worker_TP0", nil, "0"},
		{"VLLM::Worker_PP1_TP12_EP4", env, "12"},
		{"sglang::scheduler_DP0_TP1", nil, "1"},
		{"VLLM::EngineCore", env, "3"},
		{"VLLM::EngineCore", nil, ""},
		{"VLLM::Worker_TPX", nil, ""},
		{"python3\x00run.py", env, "3"},
		{"python3\x00a::b_TP1", nil, ""},
		{"x", map[string]string{"LOCAL_RANK": "3; rm"}, ""},
		{"x", map[string]string{"LOCAL_RANK": "1234567"}, ""},
	} {
		assert.Equal(t, c.want, rankOf(strings.Split(c.line, "\x00"), c.environment), c.line)
	}
}

func TestAForkedChildIsNoReader(t *testing.T) {
	id := nixl.FileID{Device: 0x1a, Inode: 500}
	mapping := []string{library, ring(500, "x")}
	sys := proc(map[int]process{10: {name: "a", start: 1, maps: mapping}, 11: {name: "b", start: 2}, 12: {name: "c", start: 3, maps: mapping}})
	forked := func(pid, parent int) {
		stat := fmt.Sprintf("%d (x) S %d %s%d 0", pid, parent, strings.Repeat("0 ", 17), pid)
		sys[fmt.Sprint(pid)+"/stat"] = &fstest.MapFile{Data: []byte(stat)}
	}
	forked(10, 1)
	forked(11, 10)
	forked(12, 11)
	found, err := New(sys).Find([]File{{ID: id, Base: "x"}})
	require.NoError(t, err)
	assert.Equal(t, 10, found.Owners[id].PID)
	assert.False(t, found.Readers[id])
	forked(12, 1)
	found, err = New(sys).Find([]File{{ID: id, Base: "x"}})
	require.NoError(t, err)
	assert.True(t, found.Readers[id], "another process with the library, such as NIXL's own reader")
}

func TestTheNameDecidesWhereDevicesDiffer(t *testing.T) {
	sys := proc(map[int]process{5: {name: "a", maps: []string{ring(500, "mine (deleted)")}}, 6: {name: "b", maps: []string{ring(600, "other")}}})
	mine, theirs := nixl.FileID{Device: 99, Inode: 500}, nixl.FileID{Device: 99, Inode: 600}
	found, err := New(sys).Find([]File{{ID: mine, Base: "mine"}, {ID: theirs, Base: "its"}})
	require.NoError(t, err)
	assert.Equal(t, 5, found.Owners[mine].PID)
	assert.NotContains(t, found.Owners, theirs, "the inode of another file system")
	assert.False(t, found.Complete, "no kernel threads: a container's /proc")
}

// closed is a /proc whose files of one process belong to another user.
type closed struct {
	fstest.MapFS
	prefix string
}

func (c closed) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, c.prefix) && !strings.HasSuffix(name, "/stat") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: os.ErrPermission}
	}
	return c.MapFS.Open(name)
}

func TestWithoutPrivilegesTheLookIsNotComplete(t *testing.T) {
	sys := closed{proc(map[int]process{2: kernel(), 7: {name: "a", maps: []string{ring(500, "x")}}}), "7/"}
	found, err := New(sys).Find([]File{{ID: nixl.FileID{Device: 0x1a, Inode: 500}, Base: "x"}})
	require.NoError(t, err)
	assert.False(t, found.Complete)
	assert.Empty(t, found.Owners)
}

func TestAProcessIsAliveWhileItIsTheSame(t *testing.T) {
	sys := proc(map[int]process{5: {name: "a", start: 100, maps: []string{ring(500, "x")}}})
	id := nixl.FileID{Device: 0x1a, Inode: 500}
	f := New(sys)
	found, err := f.Find([]File{{ID: id, Base: "x"}})
	require.NoError(t, err)
	assert.True(t, f.Alive(found.Owners[id]))
	sys["5/stat"] = proc(map[int]process{5: {name: "a", start: 101}})["5/stat"]
	assert.False(t, f.Alive(found.Owners[id]), "another process of the same number")
	delete(sys, "5/stat")
	assert.False(t, f.Alive(found.Owners[id]))
}

func BenchmarkFind(b *testing.B) {
	f := New(os.DirFS("/proc"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Find(nil); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzMaps: whatever else a file of mappings holds, the lines of a ring and of the library count, and nothing that is not wanted is found.
func FuzzMaps(f *testing.F) {
	f.Add([]byte(ring(500, "x")))
	f.Add([]byte(library))
	f.Add([]byte(strings.Repeat("7f10-7f20 rw-s ", 6000)))
	id := nixl.FileID{Device: 0x1a, Inode: 500}
	wanted := map[uint64][]File{500: {{ID: id, Base: "x"}}}
	f.Fuzz(func(t *testing.T, lines []byte) {
		read := func(maps []byte) mapped {
			m, err := New(fstest.MapFS{"5/maps": {Data: maps}}).maps(5, wanted)
			require.NoError(t, err)
			return m
		}
		m := read(lines)
		require.LessOrEqual(t, len(m.files), 1)
		if len(m.files) == 1 {
			require.Contains(t, m.files, id)
			require.Contains(t, string(lines), " rw-s ")
		}
		if m.library {
			require.Contains(t, string(lines), "libnixl")
		}
		m = read([]byte(string(lines) + "\n" + ring(500, "x") + "\n" + library + "\n"))
		require.Contains(t, m.files, id)
		require.True(t, m.library)
	})
}
