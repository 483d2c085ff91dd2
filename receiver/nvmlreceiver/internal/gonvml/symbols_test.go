//go:build cgo && linux

package gonvml

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/receiver/nvmlreceiver/internal/gpu"
)

// poorLibrary is the least that counts as NVML: one GPU that says who it is. Every other symbol is missing.
const poorLibrary = `
#include <string.h>
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int r) { (void)r; return "error"; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = (void *)1; return i == 0 ? 0 : 2; }
int nvmlDeviceGetUUID(void *d, char *uuid, unsigned n) { (void)d; strncpy(uuid, "GPU-poor", n); return 0; }
`

// compile makes a library of C source.
func compile(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	c, so := filepath.Join(dir, "lib.c"), filepath.Join(dir, "libnvidia-ml.so.1")
	require.NoError(t, os.WriteFile(c, []byte(source), 0o600))
	out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", so, c).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return so
}

const poorPath = "NVML_TEST_POOR_LIBRARY"

// A call of a missing function ends the process with exit status 127 and cannot be recovered from, so the child asks everything.
func TestALibraryThatLacksNearlyEverything(t *testing.T) {
	path := os.Getenv(poorPath)
	if path == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestALibraryThatLacksNearlyEverything$", "-test.v")
		child.Env = append(os.Environ(), poorPath+"="+compile(t, poorLibrary))
		out, err := child.CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), "asked everything")
		return
	}
	lib := NewHost().Library(path)
	require.NoError(t, lib.Open(func() {}))
	assert.Equal(t, gpu.System{}, lib.System())
	n, err := lib.Count()
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	d, err := lib.ByIndex(0)
	require.NoError(t, err)
	id, err := d.Identity(func() {})
	require.NoError(t, err)
	assert.Equal(t, "GPU-poor", id.UUID)
	missing := func(err error) { assert.Equal(t, gpu.FunctionNotFound, gpu.CodeOf(err), err) }
	var r gpu.Reading
	for q := range gpu.FieldValues {
		missing(d.Read(q, &r))
	}
	missing(d.Fields(make([]gpu.Field, 1)))
	_, err = d.Performance([]uint32{gpu.GPMSM})
	missing(err)
	_, err = d.Samples(gpu.UtilizationBuffer)
	missing(err)
	_, err = lib.Events("GPU-poor")
	missing(err)
	_, err = lib.ByUUID("GPU-poor")
	missing(err)
	_, _, err = d.Instances()
	require.NoError(t, err)
	require.NoError(t, lib.Close())
	t.Log("asked everything")
}

func TestALibraryThatIsNone(t *testing.T) {
	err := NewHost().Library(compile(t, strings.Replace(poorLibrary, "nvmlDeviceGetUUID", "other", 1))).Open(func() {})
	assert.Equal(t, gpu.FunctionNotFound, gpu.CodeOf(err))
	assert.ErrorContains(t, err, "lacks nvmlDeviceGetUUID")

	none := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	err = NewHost().Library(none).Open(func() {})
	assert.Equal(t, gpu.LibraryNotFound, gpu.CodeOf(err))
	assert.ErrorContains(t, err, none)
	require.NoError(t, os.WriteFile(none, []byte("no library"), 0o600))
	err = NewHost().Library(none).Open(func() {})
	assert.Equal(t, gpu.LibraryNotFound, gpu.CodeOf(err))
}

const replacedPath = "NVML_TEST_REPLACED_LIBRARY"

// A library that cannot be initialised, as the old one after an update of the driver, is let go of, so that the new one is found. In
// a child, for the tests before have tied their libraries to this process.
func TestALibraryThatFailsIsLetGoOf(t *testing.T) {
	path := os.Getenv(replacedPath)
	if path == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestALibraryThatFailsIsLetGoOf$", "-test.v")
		old := compile(t, strings.Replace(poorLibrary, "nvmlInit_v2(void) { return 0; }", "nvmlInit_v2(void) { return 18; }", 1))
		require.NoError(t, os.Rename(compile(t, poorLibrary), old+".new"))
		child.Env = append(os.Environ(), replacedPath+"="+old)
		out, err := child.CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), "found the new one")
		return
	}
	mapped := func() bool {
		maps, err := os.ReadFile("/proc/self/maps")
		require.NoError(t, err)
		return strings.Contains(string(maps), path)
	}
	host := NewHost()
	for range 2 {
		assert.Equal(t, gpu.VersionMismatch, gpu.CodeOf(host.Library(path).Open(func() {})))
		assert.False(t, mapped())
	}
	require.NoError(t, os.Rename(path+".new", path))
	lib := host.Library(path)
	require.NoError(t, lib.Open(func() {}))
	n, err := lib.Count()
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	require.NoError(t, lib.Close())
	t.Log("found the new one")
}

// One process has one NVML: the second library would answer with the symbols of the first.
func TestASecondLibraryIsRefused(t *testing.T) {
	host := NewHost()
	first, second := compile(t, poorLibrary), compile(t, poorLibrary)
	lib := host.Library(first)
	require.NoError(t, lib.Open(func() {}))
	err := host.Library(second).Open(func() {})
	assert.ErrorContains(t, err, "one process has one NVML library")
	same := host.Library(first)
	require.NoError(t, same.Open(func() {}))
	require.NoError(t, same.Close())
	require.NoError(t, same.Close(), "twice")
	require.NoError(t, lib.Close())
}
