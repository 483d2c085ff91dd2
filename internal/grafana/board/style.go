package board

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// style is a panel's plugin with its settings.
type style struct {
	plugin   string
	options  any
	defaults dashboard.FieldConfig
	instant  bool // the last value, not a range
}

func (p Panel) style() (style, error) {
	s := style{defaults: dashboard.FieldConfig{Unit: &p.Unit, Thresholds: p.thresholds(), Color: &dashboard.FieldColor{Mode: p.colouring()}}}
	last := common.ReduceDataOptions{Calcs: []string{"lastNotNull"}}
	switch p.Kind {
	case Lines, Stack, Share:
		options := timeseries.NewOptions()
		options.Tooltip.Mode, options.Tooltip.Sort = common.TooltipDisplayModeMulti, common.SortOrderDescending
		options.Legend.ShowLegend = true
		s.plugin, s.options, s.defaults.Custom = "timeseries", options, p.drawing()
		zero := 0.0
		if p.Kind != Lines {
			s.defaults.Min = &zero
		}
	case Stat:
		options := stat.NewOptions()
		options.ReduceOptions, options.GraphMode = last, common.BigValueGraphModeArea
		options.ColorMode = common.BigValueColorModeValue
		s.plugin, s.options = "stat", options
	case Bars:
		options := bargauge.NewOptions()
		options.ReduceOptions, options.Orientation = last, common.VizOrientationHorizontal
		options.DisplayMode = common.BarGaugeDisplayModeBasic
		s.plugin, s.options, s.instant = "bargauge", options, true
	case Table:
		options := table.NewOptions()
		options.Footer = nil // its default is none that the schema allows
		s.plugin, s.options, s.instant = "table", options, true
	default:
		return s, fmt.Errorf("kind %q: unknown", p.Kind)
	}
	return s, nil
}

func (p Panel) thresholds() *dashboard.ThresholdsConfig {
	first := Good
	if len(p.Limits) == 0 {
		first = "text"
	}
	steps := []dashboard.Threshold{{Color: first}}
	for _, l := range p.Limits {
		from := l.From
		steps = append(steps, dashboard.Threshold{Value: &from, Color: l.Color})
	}
	return &dashboard.ThresholdsConfig{Mode: dashboard.ThresholdsModeAbsolute, Steps: steps}
}

func (p Panel) colouring() dashboard.FieldColorModeId {
	if p.Kind == Stat || p.Kind == Bars {
		return dashboard.FieldColorModeIdThresholds
	}
	return dashboard.FieldColorModeIdPaletteClassic
}

// drawing is how lines look: thin, straight, with gaps where there is no data.
func (p Panel) drawing() common.GraphFieldConfig {
	width, opacity := 1.5, 0.0
	never, linear := common.VisibilityModeNever, common.LineInterpolationLinear
	c := common.GraphFieldConfig{LineWidth: &width, FillOpacity: &opacity, ShowPoints: &never, LineInterpolation: &linear}
	mode := map[Kind]common.StackingMode{Stack: common.StackingModeNormal, Share: common.StackingModePercent}[p.Kind]
	if mode != "" {
		full := 70.0
		c.FillOpacity = &full
		c.Stacking = &common.StackingConfig{Mode: &mode}
	}
	return c
}

// overrides gives the series of a phase its colour and dashes the objectives. A legend begins with the phase's name, or is it.
func (p Panel) overrides() []dashboard.DashboardFieldConfigSourceOverrides {
	coloured := func(name, colour string, more ...dashboard.DynamicConfigValue) dashboard.DashboardFieldConfigSourceOverrides {
		return dashboard.DashboardFieldConfigSourceOverrides{
			Matcher:    dashboard.MatcherConfig{Id: "byRegexp", Options: "/^" + name + "\\b/"},
			Properties: append([]dashboard.DynamicConfigValue{{Id: "color", Value: map[string]string{"mode": "fixed", "fixedColor": colour}}}, more...),
		}
	}
	dash := dashboard.DynamicConfigValue{Id: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{8, 6}}}
	return []dashboard.DashboardFieldConfigSourceOverrides{
		coloured("prefill", Prefill), coloured("decode", Decode), coloured("mixed", Mixed), coloured("transfer", Transfer),
		coloured("idle", Idle), coloured("unattributed", Unattributed), coloured("objective", Critical, dash),
	}
}
