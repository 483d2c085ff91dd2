package fleet

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// What docs name as the proof of a promise is there: tests and fuzz targets, alerts, and metrics of the collector itself.
func TestWhatDocsNameIsThere(t *testing.T) {
	root := rig.Root(t)
	find := func(pattern, where string) string {
		cmd := exec.Command("git", "grep", "-hE", pattern, "--", where)
		cmd.Dir = root
		out, err := cmd.Output()
		require.NoError(t, err)
		return string(out)
	}
	tests := find(`^func (Test|Fuzz)\w+\(`, "*_test.go")
	alerts := find(`alert: `, "distributions/otelcol-inference/prometheus/alerts.yaml")
	own := find(`^### otelcol_`, "*/documentation.md")
	for _, page := range []string{"security.md", "upgrade.md", "sharding.md", "sizing.md", "internal-metrics.md"} {
		b, err := os.ReadFile(filepath.Join(root, "docs", page))
		require.NoError(t, err)
		text := string(b)
		for _, name := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`").FindAllStringSubmatch(text, -1) {
			assert.Contains(t, tests, "func "+name[1]+"(", page)
		}
		for _, name := range regexp.MustCompile(`\bInference[A-Z]\w+`).FindAllString(text, -1) {
			assert.Contains(t, alerts, "alert: "+name+"\n", page)
		}
		for _, link := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(text, -1) {
			assert.FileExists(t, filepath.Join(root, "docs", link[1]), page)
		}
	}
	b, err := os.ReadFile(filepath.Join(root, "docs", "internal-metrics.md"))
	require.NoError(t, err)
	for line := range strings.Lines(own) {
		name := strings.TrimSpace(strings.TrimPrefix(line, "### "))
		assert.Contains(t, string(b), "`"+name+"`", "every internal metric of every component is on the page")
	}
}
