package grafana

import (
	"path"

	"github.com/otelcol-inference/otelcol-inference/internal/grafana/alert"
)

// Where the generated files are, from the root of the repository.
const (
	dashboardFolder = "distributions/otelcol-inference/grafana"
	ruleFile        = "distributions/otelcol-inference/prometheus/alerts.yaml"
	runbookFile     = "docs/alerts.md"
)

// Files are all generated files, by path from the root of the repository.
func Files() (map[string][]byte, error) {
	files := map[string][]byte{}
	dashboards, err := Dashboards()
	if err != nil {
		return nil, err
	}
	for _, d := range dashboards {
		if files[path.Join(dashboardFolder, d.File+".json")], err = d.JSON(); err != nil {
			return nil, err
		}
	}
	groups, err := Alerts()
	if err != nil {
		return nil, err
	}
	files[runbookFile] = alert.Runbook(groups)
	files[ruleFile], err = alert.Rules(groups)
	return files, err
}
