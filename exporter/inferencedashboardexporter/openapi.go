package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
)

// object is a JSON object of the description.
type object map[string]any

// describe returns the API as an OpenAPI 3.1 document. Schemas are read from the types that are sent, so that the two cannot differ.
func describe(version string) ([]byte, error) {
	fleet := parameter("fleet", "Only this fleet: its id or its name, as of /api/v1/verdict.", object{"type": "string"})
	worker := parameter("worker", "An id of /api/v1/workers. Either this or fleet.", object{"type": "string"})
	kind := parameter("kind", "Only subjects of this kind.", object{"type": "string", "enum": subjectKinds()})
	var names []string
	for _, info := range historyTable() {
		names = append(names, info.name)
	}
	metric := parameter("metric", "Series, separated by commas: "+strings.Join(names, ", ")+".", object{"type": "string"})
	metric["required"] = true
	span := parameter("span", "recent (default), or long: coarser steps that reach further back, each the mean of its points, and of latencies, thrash, storm and hiccup the largest.",
		object{"type": "string", "enum": []string{spanRecent, spanLong}})
	at := object{"type": "integer", "description": "Unix milliseconds"}
	list := func(key string, of any) object {
		return object{"type": "object", "properties": object{"at": at, key: object{"type": "array", "items": schema(reflect.TypeOf(of))}}}
	}
	series := object{"type": "object", "properties": object{"unit": object{"type": "string"}, "values": object{"type": "array", "items": nullable()}}}
	return json.Marshal(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Inference dashboard", "version": version,
			"description": "Read-only. Times are Unix milliseconds, durations seconds, shares 0..1; null is unknown.",
		},
		"paths": object{
			"/api/v1/verdict": operation("What is wrong with each fleet.", list("fleets", fleetView{}), true, fleet),
			"/api/v1/advice":  operation("What to do, standing advice first, the most severe first.", list("advice", adviceView{}), true, fleet),
			"/api/v1/workers": operation("The workers.", list("workers", workerView{}), false, fleet),
			"/api/v1/subjects": operation("Figures of KV cache, transfers, split, GPUs and sources, by metric and the values of its attributes.",
				list("subjects", subjectView{}), false, fleet, kind),
			"/api/v1/history": operation("Series of one worker or fleet.", object{"type": "object", "properties": object{
				"start": at, "step": object{"type": "integer", "description": "milliseconds"},
				"series": object{"type": "object", "additionalProperties": series},
			}}, false, worker, fleet, metric, span),
			"/api/v1/stream": object{"get": object{
				"summary": fmt.Sprintf("Server-sent events: snapshot with everything, then update with what changed. Of more than %d workers only the worst of one fleet are told; the parameters say which, and matter only then.", maxStreamed),
				"parameters": []object{
					parameter("fleet", "Whose workers: its id or its name; without, and where there is none of it, those of the fleet of worker, else of the one that is worst off.", object{"type": "string"}),
					parameter("filter", "Words that a worker has to have, in its names, its host, its model, engine, role or state.", object{"type": "string", "maxLength": maxFilter}),
					parameter("from", "How many of the worst are passed over.", object{"type": "integer", "minimum": 0, "maximum": maxWorkersLimit}),
					parameter("worker", "An id of a worker of that fleet that is told in any case.", object{"type": "string"}),
				},
				"responses": object{
					"200": object{"description": "the stream", "content": object{"text/event-stream": object{"schema": schema(reflect.TypeOf(greeting{}))}}},
					"4XX": refusal("what was wrong with the request"),
					"503": refusal(fmt.Sprintf("%d pages are connected, or the collector shuts down; Retry-After says when to come again", maxSubscribers)),
				},
			}},
		},
	})
}

func parameter(name, about string, schema object) object {
	return object{"name": name, "in": "query", "description": about, "schema": schema}
}

// operation describes one path. words says whether plain text may be asked for.
func operation(summary string, answer object, words bool, parameters ...object) object {
	content := object{"application/json": object{"schema": answer}}
	if words {
		content["text/plain"] = object{"schema": object{"type": "string"}}
	}
	return object{"get": object{"summary": summary, "parameters": parameters, "responses": object{
		"200": object{"description": "the answer", "content": content},
		"4XX": refusal("what was wrong with the request"),
	}}}
}

// refusal describes an answer that says why there is none.
func refusal(why string) object {
	return object{"description": why, "content": object{"application/json": object{"schema": object{
		"type": "object", "properties": object{"error": object{"type": "string"}},
	}}}}
}

func nullable() object { return object{"type": []string{"number", "null"}} }

// schema describes how a type is sent as JSON.
func schema(t reflect.Type) object {
	if t == reflect.TypeOf(number{}) {
		return nullable()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schema(t.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schema(t.Elem())}
	case reflect.Struct:
		properties := object{}
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Anonymous {
				for name, p := range schema(f.Type)["properties"].(object) {
					properties[name] = p
				}
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			properties[name] = schema(f.Type)
		}
		return object{"type": "object", "properties": properties}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	}
	return object{"type": "integer"}
}

// openAPI serves the description.
func (a *api) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(a.description) // the client went away
}
