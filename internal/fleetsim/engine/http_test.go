package engine

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// lock counts how often it is taken.
type lock struct {
	sync.Mutex
	taken int
}

func (l *lock) Lock() { l.Mutex.Lock(); l.taken++ }

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	return answer
}

func TestServersAnswerAsTheEnginesDo(t *testing.T) {
	const model = `{"object":"list","data":[{"id":"org/model","object":"model","created":1732500000,"owned_by":"OWNER","root":"org/model","parent":null,"max_model_len":2048}]}`
	for name, want := range map[string]map[string]string{ // path: what the answer contains
		NameVLLM: {
			"/metrics": "vllm:num_requests_running", "/health": "", "/version": `{"version":"0.32.0"}`,
			"/v1/models": strings.Replace(model, "OWNER", "vllm", 1), "/server_info": `"kv_role":"kv_consumer"`,
		},
		NameSGLang: {
			"/metrics": "sglang:num_running_reqs", "/health": "", "/health_generate": "", "/get_server_info": `"disaggregation_mode":"decode"`,
			"/server_info": `"page_size":16`, "/get_model_info": `"is_generation":true`, "/model_info": `"model_path":"org/model"`,
			"/v1/models": strings.Replace(model, "OWNER", "sglang", 1),
		},
		NameTensorRT: {
			"/prometheus/metrics": "trtllm_num_requests_running", "/metrics": `[{"iter":1,`, "/version": `{"version":"1.3.0"}`, "/health": "",
			"/v1/models": strings.Replace(model, "OWNER", "tensorrt_llm", 1),
		},
		"dynamo-vllm": {"/metrics": "dynamo_component_total_blocks", "/health": `{"status":"ready"}`, "/live": `{"status":"live"}`},
	} {
		f := facts()
		f.Role, f.KVConnector = roleDecode, connectorNIXL
		b := newBook(t, name, f)
		feed(b)
		var l lock
		h := Handler(b, &l)
		var paths []string
		for _, e := range b.Endpoints() {
			paths = append(paths, e.Path)
		}
		for path, part := range want {
			if !slices.Contains(paths, path) {
				t.Errorf("%s: no endpoint %s", name, path)
			}
			a := get(t, h, path)
			if a.Code != http.StatusOK || !strings.Contains(a.Body.String(), part) {
				t.Errorf("%s%s: got %d %.200q, want %q", name, path, a.Code, a.Body.String(), part)
			}
			if part == "" && a.Body.Len() > 0 {
				t.Errorf("%s%s: got %q, want an empty body", name, path, a.Body.String())
			}
		}
		if len(paths) != len(want) || l.taken != len(want) {
			t.Errorf("%s: %d paths %v, lock taken %d times; want %d", name, len(paths), paths, l.taken, len(want))
		}
		if a := get(t, h, "/nothing"); a.Code != http.StatusNotFound {
			t.Errorf("%s/nothing: got %d, want 404", name, a.Code)
		}
	}
}

func TestFrontendAnswers(t *testing.T) {
	h := Handler(newFrontend(t), &sync.Mutex{})
	for path, part := range map[string]string{"/metrics": "dynamo_frontend_inflight_requests", "/health": "healthy", "/v1/models": "org/model"} {
		if a := get(t, h, path); a.Code != http.StatusOK || !strings.Contains(a.Body.String(), part) {
			t.Errorf("%s: got %d %q, want %q", path, a.Code, a.Body.String(), part)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	rust := facts()
	rust.FrontEnd = "rust"
	for want, b := range map[string]Page{
		"text/plain; version=1.0.0; charset=utf-8":                   newBook(t, NameVLLM, facts()),
		"application/openmetrics-text; version=1.0.0; charset=utf-8": newBook(t, NameVLLM, rust),
		"text/plain; version=0.0.4":                                  newFrontend(t),
	} {
		if got := get(t, Handler(b, &sync.Mutex{}), "/metrics").Header().Get("Content-Type"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// broken is a page that cannot be written.
type broken struct{ Page }

func (broken) Endpoints() []Endpoint {
	return []Endpoint{{Path: "/metrics", Write: func(io.Writer) error { return errors.New("no page") }}}
}

func TestAPageThatCannotBeWrittenIsAnError(t *testing.T) {
	if a := get(t, Handler(broken{}, &sync.Mutex{}), "/metrics"); a.Code != http.StatusInternalServerError || !strings.Contains(a.Body.String(), "no page") {
		t.Errorf("got %d %q", a.Code, a.Body.String())
	}
}

// stuck takes nothing.
type stuck struct{}

func (stuck) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWritingToAClosedPipeIsAnError(t *testing.T) {
	for _, name := range []string{NameVLLM, NameSGLang, NameTensorRT, "dynamo-vllm"} {
		for _, e := range newBook(t, name, facts()).Endpoints() {
			if err := e.Write(stuck{}); e.ContentType != "" && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%s%s: got %v", name, e.Path, err)
			}
		}
	}
}
