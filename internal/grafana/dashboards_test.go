package grafana

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/grafana/board"
)

func TestTheCommittedFilesAreCurrent(t *testing.T) {
	files, err := Files()
	require.NoError(t, err)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../..", name))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), "%s: run make generate", name)
	}
	committed, err := filepath.Glob(filepath.Join("../..", dashboardFolder, "*.json"))
	require.NoError(t, err)
	for _, name := range committed {
		assert.Contains(t, files, filepath.ToSlash(strings.TrimPrefix(name, "../../")), "is declared nowhere")
	}
}

// The SDK's types are generated from Grafana's own schemas; its strict reading knows every field and misses none.
func TestDashboardsFollowGrafanasSchema(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	all, err := Dashboards()
	require.NoError(t, err)
	for _, d := range all {
		text, err := d.JSON()
		require.NoError(t, err)
		var read dashboard.Dashboard //nolint:staticcheck // the classic model, see board
		var mistakes cog.BuildErrors // none is a nil of this type, not a nil error
		if err := read.UnmarshalJSONStrict(text); err != nil {
			require.ErrorAs(t, err, &mistakes, d.File)
		}
		assert.Empty(t, mistakes, d.File)
		require.NoError(t, read.Validate(), d.File)
	}
}

func panels(t *testing.T) map[string]board.Panel {
	t.Helper()
	all, err := Dashboards()
	require.NoError(t, err)
	found := map[string]board.Panel{}
	for _, d := range all {
		for _, row := range d.Rows {
			assert.True(t, strings.HasSuffix(row.Title, "?"), "%s: %s: a row asks a question", d.File, row.Title)
			for _, p := range row.Panels {
				where := d.File + ": " + p.Title
				assert.NotContains(t, found, where, "two panels of one name")
				found[where] = p
			}
		}
	}
	return found
}

func TestEveryPanelSaysWhatToDo(t *testing.T) {
	for where, p := range panels(t) {
		assert.Greater(t, len(p.Help), 60, where)
		assert.NotEmpty(t, p.Unit, where)
		assert.NotEmpty(t, p.Queries, where)
		for _, q := range p.Queries {
			assert.True(t, q.Legend != "" || p.Kind == board.Table, "%s: a series without a name", where)
		}
	}
}

// A mean of percentiles, or a percentile of each worker, is no percentile of the fleet.
func TestQuantilesAreOfSummedBuckets(t *testing.T) {
	for where, p := range panels(t) {
		for _, q := range p.Queries {
			before, _, found := strings.Cut(q.Expr, "histogram_quantile(")
			if found {
				assert.NotContains(t, before, "avg", where)
				assert.Contains(t, q.Expr, "sum by (le", where)
			}
		}
	}
}

// Names of job, instance and namespaces are a site's own.
func TestNoQueryIsTiedToASite(t *testing.T) {
	for where, p := range panels(t) {
		for _, q := range p.Queries {
			assert.NotRegexp(t, `\b(job|instance|namespace|k8s_namespace_name)\s*(=|!)`, q.Expr, where)
		}
	}
}

func TestEveryAlertHasData(t *testing.T) {
	groups, err := Alerts()
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, g := range groups {
		for _, a := range g.Alerts {
			assert.False(t, seen[a.Name], a.Name)
			seen[a.Name] = true
			assert.True(t, strings.HasPrefix(a.Name, "Inference"), a.Name)
			assert.NotEmpty(t, a.Bad, a.Name)
			assert.NotEmpty(t, a.Good, a.Name)
		}
	}
}
