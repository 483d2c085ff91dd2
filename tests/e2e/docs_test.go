package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// Every link between pages leads to a file that is there, and to a heading that it has.
func TestDocsHaveNoDeadLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code := regexp.MustCompile("(?ms)^```.*?^```|`[^`\n]*`")
	links := 0
	require.NoError(t, filepath.WalkDir(rig.Root(t), func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == ".git" || name == "node_modules" || name == "bin" || name == "dist") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := readAll(path)
		if err != nil {
			return err
		}
		page, _ := filepath.Rel(rig.Root(t), path)
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			if strings.Contains(found[1], "://") || strings.HasPrefix(found[1], "mailto:") {
				continue
			}
			links++
			file, anchor, _ := strings.Cut(found[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); !assert.NoError(t, err, "%s links to %s", page, found[1]) || anchor == "" {
				continue
			}
			content, err := readAll(target)
			require.NoError(t, err)
			assert.Contains(t, anchors(content), anchor, "%s links to %s", page, found[1])
		}
		return nil
	}))
	assert.Greater(t, links, 50)
}

// anchors are the names that GitHub gives to the headings of a page.
func anchors(page string) (names []string) {
	seen := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#{1,6} +(.+)$`).FindAllStringSubmatch(page, -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(heading[1]))
		if !seen[name] {
			names = append(names, name)
		}
		seen[name] = true
	}
	for _, id := range regexp.MustCompile(`<a (?:id|name)="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		names = append(names, id[1])
	}
	return names
}

// Every file that the checklist gives as a proof is there, and every test that it names.
func TestChecklistProofsAreThere(t *testing.T) {
	text, err := readAll(filepath.Join(rig.Root(t), "docs", "checklist.md"))
	require.NoError(t, err)
	items := regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(text, -1)
	assert.Len(t, items, 40)
	for _, found := range regexp.MustCompile("`((?:\\.[a-z]+/|[a-z]+/)[^`\\s]+)`").FindAllStringSubmatch(text, -1) {
		matches, err := filepath.Glob(filepath.Join(rig.Root(t), found[1]))
		require.NoError(t, err)
		assert.NotEmpty(t, matches, found[1])
	}
	tests := testNames(t)
	for _, found := range regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(text, -1) {
		assert.True(t, tests[found[1]], "%s is no test of this repository", found[1])
	}
}

func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	require.NoError(t, filepath.WalkDir(rig.Root(t), func(path string, entry os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := readAll(path)
		for _, found := range function.FindAllStringSubmatch(text, -1) {
			names[found[1]] = true
		}
		return err
	}))
	return names
}
