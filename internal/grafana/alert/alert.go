// Package alert turns declared alerts into a rule file of Prometheus, a runbook, and promtool's tests of each of them.
package alert // import "github.com/otelcol-inference/otelcol-inference/internal/grafana/alert"

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Severity says who shall be told, and when.
type Severity string

// Severities.
const (
	Critical Severity = "critical" // requests fail, or soon will: wake somebody
	Warning  Severity = "warning"  // users feel it, or will: look today
	Info     Severity = "info"     // something is not as good as it could be
)

// Alert is one rule and what to do about it.
type Alert struct {
	Name     string
	Severity Severity
	For      time.Duration
	// Value is what is judged; the rule is Value followed by Condition. They are apart so that a check can see whether there is
	// anything to judge at all.
	Value, Condition string
	// Quiet says why a healthy fleet has no value. Without it, no data is a defect.
	Quiet string

	Summary string // one line; may have {{ $labels.x }} and {{ $value }}
	Meaning string
	Look    string // first look
	Action  string // first action

	// Bad and Good are data on which it fires and stays silent.
	Bad, Good []Series
}

// Group is a set of rules of one concern.
type Group struct {
	Name   string // of the group in the rule file
	Title  string // in the runbook
	Alerts []Alert
}

// Series is input of a test: a series as PromQL writes it, and promtool's notation of its values (Steady, Rising, From).
type Series struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

// Expression is the rule's whole expression.
func (a Alert) Expression() string {
	return strings.TrimSpace(a.Value + " " + a.Condition)
}

const generated = "# Generated from internal/grafana by make generate.\n"

type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

type ruleGroup struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

// Rules writes the rule file.
func Rules(groups []Group) ([]byte, error) {
	var file struct {
		Groups []ruleGroup `yaml:"groups"`
	}
	for _, g := range groups {
		out := ruleGroup{Name: g.Name}
		for _, a := range g.Alerts {
			if err := a.check(); err != nil {
				return nil, err
			}
			out.Rules = append(out.Rules, rule{
				Alert: a.Name, Expr: a.Expression(), For: duration(a.For),
				Labels: map[string]string{"severity": string(a.Severity)},
				Annotations: map[string]string{
					"summary": a.Summary, "description": a.Meaning, "first_look": a.Look, "first_action": a.Action,
				},
			})
		}
		file.Groups = append(file.Groups, out)
	}
	text, err := yaml.Marshal(file)
	return append([]byte(generated), text...), err
}

// check refuses an alert that would leave its reader alone.
func (a Alert) check() error {
	for what, text := range map[string]string{"summary": a.Summary, "meaning": a.Meaning, "first look": a.Look, "first action": a.Action, "value": a.Value} {
		if text == "" {
			return fmt.Errorf("alert %s: %s: must be set", a.Name, what)
		}
	}
	if !slices.Contains([]Severity{Critical, Warning, Info}, a.Severity) {
		return fmt.Errorf("alert %s: severity: unknown %q", a.Name, a.Severity)
	}
	return nil
}

// duration is Prometheus' notation; 0 is none.
func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%dm", int(d/time.Minute))
}
