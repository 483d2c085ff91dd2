package inferencedashboardexporter

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// TestTheDescriptionHoldsForTheAnswers walks through real answers and finds every field in the description, with its type.
func TestTheDescriptionHoldsForTheAnswers(t *testing.T) {
	d, _, now := filled(t, 2, 20)
	body := adviceBody("x")
	body["observed"] = map[string]any{"value": 1.0, "result": "inside"}
	require.NoError(t, d.consumeLogs(context.Background(), told(eventRaised, "interference", now, body)))
	require.NoError(t, d.consumeMetrics(context.Background(), gaugeOn(signal.DisaggregationScore, now, nil, false)))
	d.update(context.Background())
	h := d.api.handler()
	description := decode(t, get(t, h, "GET", "/openapi.json"))
	assert.Equal(t, "3.1.0", description["openapi"])
	paths := description["paths"].(map[string]any)
	worker := d.board.latest.Load().Workers[0].ID
	for path, query := range map[string]string{
		"/api/v1/verdict": "", "/api/v1/advice": "", "/api/v1/workers": "", "/api/v1/subjects": "",
		"/api/v1/history": "?metric=kv,imbalance&worker=" + worker,
	} {
		at := paths[path].(map[string]any)["get"].(map[string]any)["responses"].(map[string]any)["200"].(map[string]any)
		schema := at["content"].(map[string]any)["application/json"].(map[string]any)["schema"].(map[string]any)
		raw, err := io.ReadAll(get(t, h, "GET", path+query).Body)
		require.NoError(t, err)
		var answer any
		require.NoError(t, json.Unmarshal(raw, &answer))
		assert.Empty(t, misfits(path, schema, answer))
	}
	stream := paths["/api/v1/stream"].(map[string]any)["get"].(map[string]any)["responses"].(map[string]any)
	assert.Contains(t, stream, "4XX")
	assert.Contains(t, stream, "503")
}

// misfits lists where an answer is not as the schema says.
func misfits(where string, schema map[string]any, v any) (all []string) {
	kinds := fmt.Sprint(schema["type"])
	fits := func(kind string) []string {
		if !strings.Contains(kinds, kind) {
			return []string{fmt.Sprintf("%s: %v is no %s", where, v, kinds)}
		}
		return nil
	}
	switch v := v.(type) {
	case nil:
		if kinds == "object" { // a group that is left out
			return nil
		}
		return fits("null")
	case string:
		return fits("string")
	case bool:
		return fits("boolean")
	case float64:
		if kinds == "integer" && v == float64(int64(v)) {
			return nil
		}
		return fits("number")
	case []any:
		for _, x := range v {
			all = append(all, misfits(where+"[]", schema["items"].(map[string]any), x)...)
		}
		return append(all, fits("array")...)
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for name, x := range v {
			p, ok := properties[name].(map[string]any)
			if !ok {
				p, ok = schema["additionalProperties"].(map[string]any)
			}
			if !ok {
				all = append(all, where+"."+name+" is not described")
				continue
			}
			all = append(all, misfits(where+"."+name, p, x)...)
		}
		return append(all, fits("object")...)
	}
	return nil
}
