package exposition

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
)

// realtime is a page of SGLang after so many tokens of decode and requests that had their first token; those below 0 are not there.
func realtime(decode, streamed, whole int) string {
	var page strings.Builder
	fmt.Fprintf(&page, "# TYPE sglang:realtime_tokens_total counter\nsglang:realtime_tokens_total{mode=\"decode\",model_name=\"m\",tp_rank=\"0\"} %d\n", decode)
	page.WriteString("# TYPE sglang:time_to_first_token_seconds histogram\n")
	for streaming, n := range map[bool]int{true: streamed, false: whole} {
		if n >= 0 {
			fmt.Fprintf(&page, "sglang:time_to_first_token_seconds_bucket{is_streaming=\"%t\",le=\"+Inf\",model_name=\"m\"} %d\n", streaming, n)
			fmt.Fprintf(&page, "sglang:time_to_first_token_seconds_sum{is_streaming=\"%t\",model_name=\"m\"} %d\n", streaming, n)
			fmt.Fprintf(&page, "sglang:time_to_first_token_seconds_count{is_streaming=\"%t\",model_name=\"m\"} %d\n", streaming, n)
		}
	}
	return page.String()
}

// TestFirstTokensAreGenerated: SGLang's running count is of decode alone. Nothing that is missing on a page makes the sum fall, and an
// engine that began anew keeps nothing.
func TestFirstTokensAreGenerated(t *testing.T) {
	for _, tt := range []struct {
		name      string
		pages     []string
		want      string
		restarted bool
	}{
		{"no request yet", []string{realtime(0, -1, -1)}, "0", false},
		{"one before its first token of decode", []string{realtime(0, 1, -1)}, "1", false},
		{"both kinds of requests", []string{realtime(100, 2, 3)}, "105", false},
		{"they go on", []string{realtime(100, 2, 3), realtime(140, 2, 4)}, "146", false},
		{"a kind is missing", []string{realtime(100, 2, 3), realtime(140, -1, 3)}, "145", false},
		{"all requests are missing", []string{realtime(100, 2, 3), realtime(140, -1, -1)}, "145", false},
		{"the engine began anew", []string{realtime(100, 2, 3), realtime(10, 1, -1)}, "11", true},
		{"and answered nobody yet", []string{realtime(100, 2, 3), realtime(0, -1, -1)}, "0", true},
		{"the process began anew and has done more", []string{process(0) + realtime(100, 2, 3), process(105) + realtime(120, 1, -1)}, "121", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, report := play(t, newBook(t), tt.pages...)
			assert.Regexp(t, `llm\.engine\.tokens\.generated sum \{token\} \{\} since \w+ `+tt.want+"\n", got)
			assert.Equal(t, tt.restarted, report.Restarted)
		})
	}
}

// TestFirstTokensOfRanksAreNotTold: the front end counts those of all ranks together, so that each rank has what decode counted.
func TestFirstTokensOfRanksAreNotTold(t *testing.T) {
	page := realtime(100, 2, 3)
	two := strings.ReplaceAll(page, `tp_rank="0"`, `dp_rank="0",tp_rank="0"`) +
		"sglang:realtime_tokens_total{mode=\"decode\",model_name=\"m\",dp_rank=\"1\",tp_rank=\"0\"} 50\n"
	got, _ := play(t, newBook(t), two)
	assert.Contains(t, got, "llm.engine.tokens.generated sum {token} {} since 0s 100\n")
	assert.Contains(t, got, "llm.engine.tokens.generated sum {token} {} since 0s 50\n")
}

func TestWhatCannotBeAddedIsRefused(t *testing.T) {
	table := func(plus string, kind dialect.Kind, metric string) dialect.Table {
		return dialect.Table{Engine: "x", Prefixes: []string{"x_"}, Rows: []dialect.Row{
			{Name: "x_a", Kind: kind, Metric: metric, Plus: plus},
			{Name: "x_b", Kind: dialect.Counter, Metric: "llm.engine.tokens.prompt"},
			{Name: "x_h", Kind: dialect.Histogram, Metric: "gen_ai.server.time_to_first_token"},
		}}
	}
	_, err := dialect.Compile(table("x_h", dialect.Counter, "llm.engine.tokens.generated"))
	assert.NoError(t, err)
	for _, plus := range []string{"x_b", "x_nothing"} {
		_, err = dialect.Compile(table(plus, dialect.Counter, "llm.engine.tokens.generated"))
		assert.ErrorContains(t, err, plus)
	}
	_, err = dialect.Compile(table("x_h", dialect.Gauge, "llm.engine.requests.running"))
	assert.ErrorContains(t, err, "x_h")
}
