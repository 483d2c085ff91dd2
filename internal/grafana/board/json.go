package board

import (
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

const (
	tag          = "otelcol-inference"
	columns      = 24
	defaultWidth = 8
	tall, low    = 8, 4 // rows of the grid that a chart and a Stat take
)

// source is the data source that the dashboard's variable has chosen.
func source() common.DataSourceRef {
	kind, uid := "prometheus", "${datasource}"
	return common.DataSourceRef{Type: &kind, Uid: &uid}
}

// JSON renders the dashboard. It has neither uid nor id: Grafana gives them when it imports it.
func (d Dashboard) JSON() ([]byte, error) {
	// Not the SDK's dashboardv2: every Grafana imports the classic model, only the newest ones the other.
	b := dashboard.NewDashboardBuilder("otelcol-inference / " + d.Title) //nolint:staticcheck
	b.Description(d.Help).
		Tags([]string{tag}).
		Editable().
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Time("now-1h", "now").
		Refresh("30s").
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus"))
	for _, v := range d.Variables {
		b.WithVariable(v.build())
	}
	b.Link(dashboard.NewDashboardLinkBuilder("otelcol-inference").Type(dashboard.DashboardLinkTypeDashboards).
		Tags([]string{tag}).AsDropdown(true).IncludeVars(true).KeepTime(true))
	var id, y uint32
	for _, row := range d.Rows {
		id++
		b.WithRow(dashboard.NewRowBuilder(row.Title).Id(id).GridPos(dashboard.GridPos{H: 1, W: columns, X: 0, Y: y}))
		y++
		var x, height uint32
		for _, p := range row.Panels {
			if x+p.width() > columns {
				x, y, height = 0, y+height, 0
			}
			id++
			panel, err := p.build(id, x, y)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", d.File, p.Title, err)
			}
			b.WithPanel(panel)
			x, height = x+p.width(), max(height, p.height())
		}
		y += height
	}
	built, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.File, err)
	}
	text, err := json.MarshalIndent(built, "", "  ")
	return append(text, '\n'), err
}

// build makes a variable of which several values, or all, can be chosen. All is ".*" and not a list of the values: it has to match
// series without the label as well, such as links of a host when a worker can be chosen.
func (v Variable) build() cog.Builder[dashboard.VariableModel] {
	query, all := v.Query, "All"
	every := "$__all"
	return dashboard.NewQueryVariableBuilder(v.Name).Label(v.Label).
		Datasource(source()).
		Query(dashboard.StringOrMap{String: &query}).
		Definition(query).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortAlphabeticalAsc).
		Multi(true).IncludeAll(true).AllValue(".*").
		Current(dashboard.VariableOption{
			Text: dashboard.StringOrArrayOfString{String: &all}, Value: dashboard.StringOrArrayOfString{String: &every},
		})
}

func (p Panel) width() uint32 {
	if p.Width == 0 {
		return defaultWidth
	}
	return p.Width
}

func (p Panel) height() uint32 {
	if p.Kind == Stat {
		return low
	}
	return tall
}

func (p Panel) build(id, x, y uint32) (cog.Builder[dashboard.Panel], error) {
	style, err := p.style()
	if err != nil {
		return nil, err
	}
	b := dashboard.NewPanelBuilder().Id(id).Type(style.plugin).
		Title(p.Title).Description(p.Help).
		Datasource(source()).
		GridPos(dashboard.GridPos{H: p.height(), W: p.width(), X: x, Y: y}).
		Options(style.options).
		FieldConfig(dashboard.FieldConfigSource{Defaults: style.defaults, Overrides: p.overrides()})
	for i, q := range p.Queries {
		query := prometheus.NewDataqueryBuilder().Datasource(source()).RefId(string(rune('A' + i))).Expr(q.Expr).LegendFormat(q.Legend)
		if style.instant {
			query.Instant()
		} else {
			query.Range()
		}
		if p.Kind == Table {
			query.Format(prometheus.PromQueryFormatTable)
		}
		b.WithTarget(query)
	}
	if p.Kind == Table {
		b.WithTransformation(dashboard.DataTransformerConfig{
			Id: "organize", Options: map[string]any{"excludeByName": map[string]bool{"Time": true}},
		})
	}
	return b, nil
}
