package board

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// model is what Grafana reads of a dashboard, as far as these tests look.
type model struct {
	UID           any `json:"uid"`
	SchemaVersion int `json:"schemaVersion"`
	Panels        []struct {
		Type, Title, Description string
		Datasource               map[string]string
		GridPos                  struct{ X, Y, W, H int }
		Targets                  []struct {
			Expr, LegendFormat, RefID string
			Instant, Range            bool
			Datasource                map[string]string
		}
		FieldConfig struct {
			Defaults struct {
				Unit   string
				Custom struct {
					Stacking struct{ Mode string }
				}
			}
			Overrides []struct {
				Matcher    struct{ ID, Options string }
				Properties []struct {
					ID    string
					Value map[string]any
				}
			}
		}
	}
	Templating struct {
		List []struct {
			Name, Type, AllValue string
			Multi, IncludeAll    bool
		}
	}
}

func render(t *testing.T, d Dashboard) model {
	t.Helper()
	text, err := d.JSON()
	require.NoError(t, err)
	var m model
	require.NoError(t, json.Unmarshal(text, &m))
	return m
}

func dash(panels ...Panel) Dashboard {
	return Dashboard{File: "x", Title: "X", Variables: []Variable{{"worker", "Worker", "label_values(up, instance)"}},
		Rows: []Row{{"First?", panels}, {"Second?", panels[:1]}}}
}

func TestNothingIsTiedToOneGrafana(t *testing.T) {
	m := render(t, dash(Panel{Title: "a", Kind: Lines, Unit: Seconds, Queries: []Query{{Expr: "x", Legend: "y"}}}))
	assert.Nil(t, m.UID)
	assert.GreaterOrEqual(t, m.SchemaVersion, 42)
	assert.Equal(t, "datasource", m.Templating.List[0].Type)
	assert.Equal(t, ".*", m.Templating.List[1].AllValue)
	assert.True(t, m.Templating.List[1].Multi)
	panel := m.Panels[1]
	assert.Equal(t, "${datasource}", panel.Datasource["uid"])
	assert.Equal(t, "${datasource}", panel.Targets[0].Datasource["uid"])
}

func TestPanelsDoNotOverlap(t *testing.T) {
	m := render(t, dash(
		Panel{Title: "a", Kind: Stat, Width: 12}, Panel{Title: "b", Kind: Lines, Width: 12}, Panel{Title: "c", Kind: Bars}, Panel{Title: "d", Kind: Table, Width: 20},
	))
	taken := map[[2]int]string{}
	for _, p := range m.Panels {
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, columns, p.Title)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Empty(t, taken[[2]int{x, y}], p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

func TestPhasesHaveTheirColoursAndObjectivesAreDashed(t *testing.T) {
	m := render(t, dash(Panel{Title: "a", Kind: Share}))
	colours, dashed := map[string]any{}, ""
	for _, o := range m.Panels[1].FieldConfig.Overrides {
		for _, p := range o.Properties {
			switch p.ID {
			case "color":
				colours[o.Matcher.Options] = p.Value["fixedColor"]
			case "custom.lineStyle":
				dashed = o.Matcher.Options
			}
		}
	}
	assert.Equal(t, "#6E40AA", colours[`/^prefill\b/`])
	assert.Equal(t, "#1FA8C9", colours[`/^decode\b/`])
	assert.Equal(t, `/^objective\b/`, dashed)
	assert.Equal(t, "percent", m.Panels[1].FieldConfig.Defaults.Custom.Stacking.Mode)
}

func TestKinds(t *testing.T) {
	query := []Query{{Expr: "x"}}
	for kind, want := range map[Kind]struct {
		plugin  string
		instant bool
	}{
		Lines: {"timeseries", false}, Stack: {"timeseries", false}, Share: {"timeseries", false}, Stat: {"stat", false}, Bars: {"bargauge", true}, Table: {"table", true},
	} {
		m := render(t, dash(Panel{Title: "a", Kind: kind, Queries: query}))
		assert.Equal(t, want.plugin, m.Panels[1].Type)
		assert.Equal(t, want.instant, m.Panels[1].Targets[0].Instant, kind)
		assert.Equal(t, !want.instant, m.Panels[1].Targets[0].Range, kind)
	}
	_, err := dash(Panel{Title: "a", Kind: "pie"}).JSON()
	require.ErrorContains(t, err, `kind "pie": unknown`)
}
