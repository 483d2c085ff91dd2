//go:build unix

// Package gputest builds the NVML library of tests/nvmlstub for tests.
package gputest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/otelcol-inference/otelcol-inference"

// BuildStub returns the path of the library, built from its sources. It lies in the user's cache under the hash of the sources and
// the compiler, so every test binary, and the next run, uses the one that is there. The test fails, and is not skipped, without a C
// compiler.
func BuildStub(t testing.TB) string {
	t.Helper()
	root, err := output("", "go", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		t.Fatalf("finding tests/nvmlstub: %v", err)
	}
	library, err := build(root)
	if err != nil {
		t.Fatalf("building the NVML library: %v", err)
	}
	return library
}

func build(root string) (string, error) {
	source := filepath.Join(root, "tests", "nvmlstub")
	key, err := hash(root, source)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir() // no home directory, as in a bare container
	}
	cache = filepath.Join(cache, "otelcol-inference", "nvmlstub")
	const name = "libnvidia-ml.so.1"
	target := filepath.Join(cache, key, name)
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return "", err
	}
	// Built aside and renamed: several test binaries may be at it.
	work, err := os.MkdirTemp(cache, "build")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if _, err := output(source, "./build.sh", work); err != nil {
		return "", err
	}
	return target, os.Rename(filepath.Join(work, name), target)
}

// hash is a digest of what the library is built from.
func hash(root, source string) (string, error) {
	files, err := filepath.Glob(filepath.Join(source, "*.[ch]"))
	if err != nil {
		return "", err
	}
	files = append(files, filepath.Join(source, "build.sh"))
	slices.Sort(files)
	digest := sha256.New()
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(digest, "%s %d\n%s", filepath.Base(file), len(content), content)
	}
	header, err := output(root, "go", "list", "-m", "github.com/NVIDIA/go-nvml")
	if err != nil {
		return "", err
	}
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "gcc"
	}
	version, err := output(root, "sh", "-c", compiler+" --version")
	if err != nil {
		return "", fmt.Errorf("a C compiler is needed: %w", err)
	}
	fmt.Fprintf(digest, "%s\n%s", header, version)
	return hex.EncodeToString(digest.Sum(nil)[:12]), nil
}

func output(dir, name string, arguments ...string) (string, error) {
	command := exec.Command(name, arguments...)
	command.Dir = dir
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", command, err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), err
}
