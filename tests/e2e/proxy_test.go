package e2e

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

const ourModule = "github.com/otelcol-inference/otelcol-inference"

// published makes of this repository, as it stands, a release that the go command gets as those of others, and returns its version. What the go
// command keeps of it is removed in the end.
func published(t *testing.T) (version string) {
	t.Helper()
	version = fmt.Sprintf("v0.0.1-test.%d", time.Now().UnixNano()) // another each time: what is in the module cache is not asked for again
	at := filepath.Join(t.TempDir(), filepath.FromSlash(ourModule), "@v")
	require.NoError(t, os.MkdirAll(at, 0o755))
	write := func(suffix string, text []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(at, version+suffix), text, 0o600))
	}
	write(".info", fmt.Appendf(nil, `{"Version": %q, "Time": "2026-01-01T00:00:00Z"}`, version))
	mod, err := os.ReadFile(filepath.Join(rig.Root(t), "go.mod"))
	require.NoError(t, err)
	write(".mod", mod)
	file, err := os.Create(filepath.Join(at, version+".zip"))
	require.NoError(t, err)
	require.NoError(t, zip.Create(file, module.Version{Path: ourModule, Version: version}, sources(t)))
	require.NoError(t, file.Close())

	proxy := strings.TrimSuffix(at, filepath.Join(filepath.FromSlash(ourModule), "@v"))
	t.Setenv("GOPROXY", "file://"+proxy+","+goEnv(t, "GOPROXY"))
	t.Setenv("GONOSUMDB", strings.TrimPrefix(goEnv(t, "GONOSUMDB")+","+ourModule, ",")) // no database knows it
	cache := goEnv(t, "GOMODCACHE")
	t.Cleanup(func() {
		kept, err := filepath.Glob(filepath.Join(cache, "cache", "download", filepath.FromSlash(ourModule), "@v", version+".*"))
		assert.NoError(t, err)
		for _, path := range append(kept, filepath.Join(cache, filepath.FromSlash(ourModule)+"@"+version)) {
			removeReadOnly(t, path)
		}
	})
	return version
}

// removeReadOnly removes a tree whose folders the go command has made read-only.
func removeReadOnly(t *testing.T, path string) {
	t.Helper()
	assert.NoError(t, filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(path, 0o755)
		}
		return err
	}))
	assert.NoError(t, os.RemoveAll(path))
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	said, err := exec.Command("go", "env", name).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(said))
}

// source is one file of the repository.
type source struct{ root, path string }

func (s source) Path() string                 { return s.path }
func (s source) Lstat() (os.FileInfo, error)  { return os.Lstat(filepath.Join(s.root, s.path)) }
func (s source) Open() (io.ReadCloser, error) { return os.Open(filepath.Join(s.root, s.path)) }

// sources are the files that git has, or would take.
func sources(t *testing.T) (files []zip.File) {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	list.Dir = rig.Root(t)
	said, err := list.Output()
	require.NoError(t, err)
	for _, path := range strings.Split(strings.TrimSuffix(string(said), "\x00"), "\x00") {
		s := source{rig.Root(t), path}
		if _, err := s.Lstat(); err == nil { // not one that was removed since
			files = append(files, s)
		}
	}
	return files
}
