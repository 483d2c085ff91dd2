package engine

import (
	"math"
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	for want, change := range map[string]func(*Facts) string{
		`engine vllm: version: got "0.5.1", known are the releases from 0.6 and before 0.33`:          func(f *Facts) string { f.Version = "0.5.1"; return NameVLLM },
		`engine vllm: version: got "main", want three numbers such as 0.32.0`:                         func(f *Facts) string { f.Version = "main"; return NameVLLM },
		`engine sglang: version: got "0.6.0", known are the releases from 0.4 and before 0.6`:         func(f *Facts) string { f.Version = "0.6.0"; return NameSGLang },
		`engine tensorrt_llm: version: got "0.20", known are the releases from 1.0 and before 1.5`:    func(f *Facts) string { f.Version = "0.20"; return NameTensorRT },
		`engine tgi: engine: got "tgi", known are vllm, sglang, tensorrt_llm, and dynamo- before one`: func(*Facts) string { return "tgi" },
		`engine dynamo-tgi: engine: got "tgi"`:                                                        func(*Facts) string { return "dynamo-tgi" },
		`front end: got "go", known are python and rust`:                                              func(f *Facts) string { f.FrontEnd = "go"; return NameVLLM },
		`front end: got rust with version "0.9.0", want a release from 0.24`:                          func(f *Facts) string { f.FrontEnd, f.Version = "rust", "0.9.0"; return NameVLLM },
		`front end: got rust with 2 API servers, want 1`:                                              func(f *Facts) string { f.FrontEnd, f.APIServers = "rust", 2; return NameVLLM },
		`engine dynamo-vllm: front end: got rust in a worker of Dynamo`:                               func(f *Facts) string { f.FrontEnd = "rust"; return "dynamo-vllm" },
		`role: got "router", known are aggregated, prefill and decode`:                                func(f *Facts) string { f.Role = "router"; return NameVLLM },
		`KV connector: got "LMCache", known is NixlConnector`:                                         func(f *Facts) string { f.KVConnector = "LMCache"; return NameVLLM },
		`rank: got -1, want at least 0`:                                                               func(f *Facts) string { f.Rank = -1; return NameVLLM },
		`rank: got 2, want less than the 2 ranks`:                                                     func(f *Facts) string { f.Rank, f.Ranks = 2, 2; return NameVLLM },
		`residency sample: got 1.5, want 0 to 1`:                                                      func(f *Facts) string { f.ResidencySample = 1.5; return NameVLLM },
	} {
		f := facts()
		name := change(&f)
		if _, err := New(name, f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestPagesOfFactsThatAreNotKnown: no division by zero, whatever is missing.
func TestPagesOfFactsThatAreNotKnown(t *testing.T) {
	for _, name := range []string{NameVLLM, NameSGLang, NameTensorRT, "dynamo-vllm", "dynamo-sglang", "dynamo-tensorrt_llm"} {
		b := newBook(t, name, Facts{ServedModel: "m"})
		feed(b)
		for key, v := range read(t, b).values {
			if math.IsNaN(v) && !strings.HasPrefix(key, "sglang:fwd_occupancy") {
				t.Errorf("%s is NaN", key)
			}
		}
	}
}
