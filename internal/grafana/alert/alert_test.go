package alert

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func sound() Alert {
	return Alert{Name: "A", Severity: Warning, For: 5 * time.Minute, Value: "max(x)", Condition: "> 1",
		Summary: "{{ $labels.worker }} has {{ $value | humanizePercentage }}", Meaning: "It means.", Look: "Look there.", Action: "Do this.",
		Bad: []Series{{"x", Steady(2)}}, Good: []Series{{"x", Steady(0)}}}
}

func TestRules(t *testing.T) {
	text, err := Rules([]Group{{Name: "g", Alerts: []Alert{sound()}}})
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	rule := file.Groups[0].Rules[0]
	assert.Equal(t, "max(x) > 1", rule.Expr)
	assert.Equal(t, "5m", rule.For)
	assert.Equal(t, "warning", rule.Labels["severity"])
	assert.Equal(t, "Do this.", rule.Annotations["first_action"])
}

func TestAnAlertThatLeavesItsReaderAloneIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Alert){
		"alert A: summary: must be set":        func(a *Alert) { a.Summary = "" },
		"alert A: meaning: must be set":        func(a *Alert) { a.Meaning = "" },
		"alert A: first look: must be set":     func(a *Alert) { a.Look = "" },
		"alert A: first action: must be set":   func(a *Alert) { a.Action = "" },
		"alert A: value: must be set":          func(a *Alert) { a.Value = "" },
		`alert A: severity: unknown "page me"`: func(a *Alert) { a.Severity = "page me" },
	} {
		a := sound()
		spoil(&a)
		_, err := Rules([]Group{{Alerts: []Alert{a}}})
		assert.ErrorContains(t, err, name)
	}
}

func TestTheRunbookSaysWhatALabelStandsFor(t *testing.T) {
	text := string(Runbook([]Group{{Title: "Fleet", Alerts: []Alert{sound()}}}))
	assert.Contains(t, text, "| [A](#a) | warning | 5m | *worker* has *value* |")
	assert.Contains(t, text, "**First action.** Do this.")
}

func TestEachAlertHasATestThatItFiresAndOneThatItIsSilent(t *testing.T) {
	text, err := Tests("rules.yaml", []Group{{Alerts: []Alert{sound()}}})
	require.NoError(t, err)
	var file struct {
		Tests []struct {
			Name    string
			Queries []struct {
				Expr    string
				Time    string `yaml:"eval_time"`
				Samples []any  `yaml:"exp_samples"`
			} `yaml:"promql_expr_test"`
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	require.Len(t, file.Tests, 2)
	fires, silent := file.Tests[0], file.Tests[1]
	assert.Equal(t, "25m0s", fires.Queries[0].Time)
	assert.Len(t, fires.Queries[0].Samples, 1)
	assert.Empty(t, fires.Queries[1].Samples, "not before its time")
	assert.Empty(t, silent.Queries[0].Samples)
	assert.Equal(t, "count(max(x)) > bool 0", silent.Queries[1].Expr, "silent although there is something to judge")
}

func TestNotationOfValues(t *testing.T) {
	assert.Equal(t, "0.5+0x120", Steady(0.5))
	assert.Equal(t, "0+3x120", Rising(0.1), "30 s apart")
	assert.Equal(t, "_x36 1+0x84", From(1))
}
