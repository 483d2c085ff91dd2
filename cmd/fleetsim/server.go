package main

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/engine"
)

// workerHandler is what a vLLM server answers.
func workerHandler(d *driver, worker int) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		body, err := d.metrics(worker)
		respond(w, engine.VLLMContentType, body, err)
	})
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		respondJSON(w, map[string]string{"version": engine.VLLMVersion})
	})
	model := modelCard(d, worker)
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		respondJSON(w, model)
	})
	return mux
}

// modelCard is the answer to /v1/models; it does not change.
func modelCard(d *driver, worker int) any {
	type card struct {
		ID          string  `json:"id"`
		Object      string  `json:"object"`
		Created     int64   `json:"created"`
		OwnedBy     string  `json:"owned_by"`
		Root        string  `json:"root"`
		Parent      *string `json:"parent"`
		MaxModelLen int     `json:"max_model_len"`
	}
	cfg, name := d.fleet.Config(), d.fleet.ServedModel()
	return struct {
		Object string `json:"object"`
		Data   []card `json:"data"`
	}{"list", []card{{ID: name, Object: "model", Created: cfg.StartTime.Unix(), OwnedBy: "vllm", Root: name, MaxModelLen: d.fleet.Pool(worker).MaxModelTokens}}}
}

// controlHandler serves the truth.
func controlHandler(d *driver) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /truth", func(w http.ResponseWriter, _ *http.Request) {
		body, err := d.truth()
		respond(w, "application/json", body, err)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, "text/plain; charset=utf-8", []byte("ok\n"), nil)
	})
	return mux
}

func respondJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	respond(w, "application/json", body, err)
}

func respond(w http.ResponseWriter, contentType string, body []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	// A client that went away is its own business.
	_, _ = w.Write(body)
}
