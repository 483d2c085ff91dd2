package hostproc

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	id  = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	in  = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
	uid = "2c48913c-b29f-11e7-9350-020968147796"
)

func TestContainerAndPodFromACgroup(t *testing.T) {
	under := strings.ReplaceAll(uid, "-", "_")
	for name, test := range map[string]struct {
		cgroup string
		want   Workload
	}{
		"systemd driver, containerd, v2": {
			"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + under + ".slice/cri-containerd-" + id + ".scope\n", Workload{id, uid}},
		"systemd driver, guaranteed": {
			"0::/kubepods.slice/kubepods-pod" + under + ".slice/crio-" + id + ".scope\n", Workload{id, uid}},
		"cgroupfs driver, v1": {
			"12:cpu:/kubepods/besteffort/pod" + uid + "/" + id + "\n11:memory:/kubepods/besteffort/pod" + uid + "/" + id + "\n", Workload{id, uid}},
		"colons": {
			"1:name=systemd:/kubepods-burstable-pod" + under + ".slice:cri-containerd:" + id + "\n", Workload{id, uid}},
		"static pod": {
			"0::/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" + id + "\n", Workload{id, "0123456789abcdef0123456789abcdef"}},
		"a container's child cgroup": {
			"0::/system.slice/docker-" + id + ".scope/worker\n", Workload{id, ""}},
		"docker, cgroupfs":             {"0::/docker/" + id + "\n", Workload{id, ""}},
		"podman":                       {"0::/machine.slice/libpod-" + id + ".scope/container\n", Workload{id, ""}},
		"podman's monitor":             {"0::/machine.slice/libpod-conmon-" + id + ".scope\n", Workload{}},
		"CRI-O's monitor":              {"0::/kubepods.slice/kubepods-pod" + under + ".slice/crio-conmon-" + id + ".scope\n", Workload{"", uid}},
		"ECS":                          {"9:perf_event:/ecs/cluster/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-1234567890\n", Workload{"0123456789abcdef0123456789abcdef-1234567890", ""}},
		"kind: a node is a container":  {"0::/docker/" + id + "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + under + ".slice/cri-containerd-" + in + ".scope\n", Workload{in, uid}},
		"v1 hierarchies that disagree": {"3:misc:/\n2:cpu:/docker/" + id + "\n1:memory:/\n", Workload{id, ""}},
		"no container":                 {"0::/user.slice/user-1000.slice/session-2.scope\n", Workload{}},
		"the root of a namespace":      {"0::/\n", Workload{}},
		"outside the namespace":        {"0::/../../init.scope\n", Workload{}},
		"garbage":                      {"\x00\xff::\n:\nx", Workload{}},
		"empty":                        {"", Workload{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(fstest.MapFS{"7/cgroup": {Data: []byte(test.cgroup)}})
			got, err := r.Workload(7)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func stat(pid, parent int, name string) *fstest.MapFile {
	line := strconv.Itoa(pid) + " (" + name + ") S " + strconv.Itoa(parent) + " 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 100 200\n"
	return &fstest.MapFile{Data: []byte(line)}
}

func TestAProcess(t *testing.T) {
	r := New(fstest.MapFS{"7/stat": stat(7, 3, "vllm) S 99 (x"), "8/stat": {Data: []byte("8 S 1")}, "9/stat": {Data: []byte("9 (cut) S 1")}})
	got, err := r.Process(7)
	require.NoError(t, err)
	assert.Equal(t, Process{PID: 7, Parent: 3, Name: "vllm) S 99 (x", Start: 4711}, got)

	_, err = r.Process(6)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	_, err = r.Process(8)
	assert.EqualError(t, err, `stat of process 8: no name in parentheses (got "8 S 1")`)
	_, err = r.Process(9)
	assert.EqualError(t, err, "stat of process 9: must have 22 fields (got 4)")
	_, err = r.Workload(7)
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestTheRealProc(t *testing.T) {
	r := New(os.DirFS("/proc"))
	p, err := r.Process(os.Getpid())
	require.NoError(t, err)
	assert.Equal(t, os.Getppid(), p.Parent)
	_, err = r.Workload(os.Getpid())
	require.NoError(t, err)
}

func FuzzCgroup(f *testing.F) {
	f.Add("0::/docker/" + id + "\n")
	f.Add("1:a:/kubepods/pod" + uid + "/" + id)
	f.Fuzz(func(t *testing.T, file string) {
		w := parseCgroup(file)
		assert.LessOrEqual(t, len(w.ContainerID), 64)
		assert.LessOrEqual(t, len(w.PodUID), 36)
	})
}
