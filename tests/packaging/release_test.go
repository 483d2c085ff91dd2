//go:build linux

package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// A release is built with the tags that ocb builds with, has the packages' configurations in its archives, and names files that are there. That
// goreleaser takes its configuration is shown by goreleaser alone.
func TestRelease(t *testing.T) {
	var manifest struct {
		Dist struct {
			Tags string `yaml:"build_tags"`
			Name string
			Out  string `yaml:"output_path"`
		}
	}
	decode(t, "builder-config.yaml", &manifest)
	var release struct {
		Builds []struct {
			ID, Dir string
			Env     []string
			Tags    []string
			Arches  []string `yaml:"goarch"`
		}
		Archives []struct{ Files []string }
		Images   []struct{ Dockerfile string } `yaml:"dockers_v2"`
	}
	decode(t, ".goreleaser.yaml", &release)
	require.Len(t, release.Builds, 1)
	build := release.Builds[0]
	assert.Equal(t, manifest.Dist.Tags, strings.Join(build.Tags, ","))
	assert.Equal(t, filepath.Clean(manifest.Dist.Out), build.Dir)
	assert.Equal(t, manifest.Dist.Name, build.ID)
	assert.Equal(t, []string{"amd64", "arm64"}, build.Arches)
	assert.Contains(t, build.Env, "CGO_ENABLED=1")
	makefile := read(t, "Makefile")
	assert.Contains(t, makefile, "\nTAGS  := "+manifest.Dist.Tags+"\n", "the tags of make arm64")
	exported := regexp.MustCompile(`(?m)^export (\w+) := (.+)$`).FindAllStringSubmatch(makefile, -1)
	require.NotEmpty(t, exported)
	for _, variable := range exported {
		assert.Contains(t, build.Env, variable[1]+"="+variable[2], "what the Makefile exports")
	}

	var packed struct {
		Contents []struct{ Src, Dst string }
	}
	decode(t, "distributions/otelcol-inference/packaging/nfpm.yaml", &packed)
	var configurations string
	for _, content := range packed.Contents {
		if content.Dst == "/etc/otelcol-inference/" {
			configurations = content.Src
		}
	}
	require.NotEmpty(t, configurations)
	require.Len(t, release.Archives, 1)
	assert.Contains(t, release.Archives[0].Files, configurations, "the packages' configurations are the archives'")
	for _, pattern := range release.Archives[0].Files {
		for _, path := range expand(pattern) {
			assert.FileExists(t, filepath.Join(repository(t), path))
		}
	}
	require.Len(t, release.Images, 1)
	assert.FileExists(t, filepath.Join(repository(t), release.Images[0].Dockerfile))
}

// expand gives the paths of a pattern with one list in braces, or the pattern.
func expand(pattern string) (paths []string) {
	before, rest, is := strings.Cut(pattern, "{")
	list, after, _ := strings.Cut(rest, "}")
	if !is {
		return []string{pattern}
	}
	for choice := range strings.SplitSeq(list, ",") {
		paths = append(paths, before+choice+after)
	}
	return paths
}

func decode(t *testing.T, path string, into any) {
	t.Helper()
	require.NoError(t, yaml.Unmarshal([]byte(read(t, path)), into), path)
}

// read is the text of a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository(t), path))
	require.NoError(t, err)
	return string(text)
}
