package fleet

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// A vulnerability that came back after a fix is not passed over by its index entry.
func TestVulnerabilitiesThatCameBackAreLookedAt(t *testing.T) {
	checkout, out := t.TempDir(), t.TempDir()
	reports := filepath.Join(checkout, "data", "osv")
	require.NoError(t, os.MkdirAll(reports, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(reports, "GO-2026-0001.json"), []byte(`{"id": "GO-2026-0001", "published": "2026-01-02T00:00:00Z",
"modified": "2026-01-03T00:00:00Z", "affected": [{"package": {"name": "example.com/m", "ecosystem": "Go"}, "ranges": [{"type": "SEMVER",
"events": [{"introduced": "0"}, {"fixed": "1.2.0"}, {"introduced": "2.0.0"}]}]}]}`), 0o600))
	said, err := exec.Command(filepath.Join(rig.Root(t), "scripts", "vulndb.py"), checkout, out).CombinedOutput()
	require.NoError(t, err, string(said))

	text, err := os.ReadFile(filepath.Join(out, "index", "modules.json"))
	require.NoError(t, err)
	var modules []struct {
		Path  string
		Vulns []map[string]string
	}
	require.NoError(t, json.Unmarshal(text, &modules))
	require.Len(t, modules, 1)
	assert.Equal(t, "example.com/m", modules[0].Path)
	assert.Equal(t, []map[string]string{{"id": "GO-2026-0001", "modified": "2026-01-03T00:00:00Z"}}, modules[0].Vulns)
	assert.FileExists(t, filepath.Join(out, "ID", "GO-2026-0001.json"))
}
