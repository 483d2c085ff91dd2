package alert

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"
)

// interval is the distance of a test's samples.
const interval = 30 * time.Second

// settled is when every window of an expression is full of data.
const settled = 20 * time.Minute

// samples last for an hour: settled and the longest For.
const samples = int(time.Hour / interval)

type unitTest struct {
	Name     string           `yaml:"name"`
	Interval string           `yaml:"interval"`
	Input    []Series         `yaml:"input_series"`
	Queries  []expressionTest `yaml:"promql_expr_test"`
}

type expressionTest struct {
	Expr     string   `yaml:"expr"`
	EvalTime string   `yaml:"eval_time"`
	Samples  []sample `yaml:"exp_samples"`
}

type sample struct {
	Labels string  `yaml:"labels"`
	Value  float64 `yaml:"value"`
}

// Tests writes promtool's unit tests: each alert fires on its bad data, once its time is up and not before; and stays silent on its
// good data although there is something to judge.
func Tests(ruleFile string, groups []Group) ([]byte, error) {
	file := struct {
		RuleFiles []string   `yaml:"rule_files"`
		Interval  string     `yaml:"evaluation_interval"`
		Tests     []unitTest `yaml:"tests"`
	}{RuleFiles: []string{ruleFile}, Interval: interval.String()}
	for _, g := range groups {
		for _, a := range g.Alerts {
			file.Tests = append(file.Tests, a.fires(), a.staysSilent())
		}
	}
	return yaml.Marshal(file)
}

func (a Alert) fires() unitTest {
	at := settled + a.For
	firing := fmt.Sprintf(`count by (alertname) (ALERTS{alertname=%q, alertstate="firing"})`, a.Name)
	t := unitTest{Name: a.Name + " fires", Interval: interval.String(), Input: a.Bad}
	t.Queries = append(t.Queries, expressionTest{firing + " > bool 0", at.String(), []sample{{fmt.Sprintf("{alertname=%q}", a.Name), 1}}})
	if a.For > 0 {
		t.Queries = append(t.Queries, expressionTest{firing, (a.For / 2).String(), nil})
	}
	return t
}

func (a Alert) staysSilent() unitTest {
	at := settled + a.For
	t := unitTest{Name: a.Name + " stays silent", Interval: interval.String(), Input: a.Good}
	t.Queries = append(t.Queries, expressionTest{fmt.Sprintf(`ALERTS{alertname=%q}`, a.Name), at.String(), nil})
	if a.Quiet == "" {
		t.Queries = append(t.Queries, expressionTest{"count(" + a.Value + ") > bool 0", at.String(), []sample{{"{}", 1}}})
	}
	return t
}

// Steady is a value that stays.
func Steady(value float64) string { return fmt.Sprintf("%g+0x%d", value, samples) }

// Rising is a sum that grows by so much a second.
func Rising(perSecond float64) string {
	return fmt.Sprintf("0+%gx%d", perSecond*interval.Seconds(), samples)
}

// From is a value that begins later: nothing, and then the value. It begins shortly before settled.
func From(value float64) string {
	const before = int((settled - 2*time.Minute) / interval)
	return fmt.Sprintf("_x%d %g+0x%d", before, value, samples-before)
}
