package e2e

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// Every YAML file of the repository parses, and every one that is a collector configuration passes `validate`. So does every
// YAML block in a Markdown page.
func TestEveryYAMLIsValid(t *testing.T) {
	for where, text := range allYAML(t) {
		t.Run(where, func(t *testing.T) {
			document := map[string]any{}
			err := yaml.Unmarshal([]byte(text), &document)
			if strings.HasPrefix(strings.TrimSpace(text), "- ") {
				var list []any
				err = yaml.Unmarshal([]byte(text), &list)
			}
			require.NoError(t, err)
			if _, ok := document["service"]; !ok || strings.HasSuffix(where, ".values.yaml") { // of Helm: TestHelmValuesAreOfTheChartAndSafe
				return
			}
			file := filepath.Join(t.TempDir(), "config.yaml")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			args := []string{"validate"}
			for _, under := range overlaid(text) {
				args = append(args, "--config", filepath.Join("distributions", "otelcol-inference", under))
			}
			_, stderr, code := run(t, collector(t), append(args, "--config", file)...)
			assert.Zero(t, code, stderr)
		})
	}
}

// overlaid are the shipped configurations that a file says it is an overlay of: "# Overlay of a.yaml and b.yaml: ...".
func overlaid(text string) []string {
	first, _, _ := strings.Cut(text, "\n")
	list, isOverlay := strings.CutPrefix(first, "# Overlay of ")
	if !isOverlay {
		return nil
	}
	list, _, _ = strings.Cut(list, ":")
	return strings.Split(list, " and ")
}

// allYAML returns every YAML text by where it stands.
func allYAML(t *testing.T) map[string]string {
	t.Helper()
	block := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")
	texts := map[string]string{}
	top := rig.Root(t)
	require.NoError(t, filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(top, path)
		if entry.IsDir() {
			if base := entry.Name(); base == ".git" || base == "node_modules" || name == "bin" {
				return filepath.SkipDir
			}
			return nil
		}
		switch filepath.Ext(path) {
		case ".yaml", ".yml":
			text, err := readAll(path)
			texts[name] = text
			return err
		case ".md":
			text, err := readAll(path)
			for i, found := range block.FindAllStringSubmatch(text, -1) {
				texts[fmt.Sprintf("%s block %d", name, i+1)] = found[1]
			}
			return err
		}
		return nil
	}))
	require.NotEmpty(t, texts)
	return texts
}

func readAll(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}
