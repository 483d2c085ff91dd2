package engine

import (
	"fmt"
	"strings"
)

// Names of engines.
const (
	NameVLLM     = "vllm"
	NameSGLang   = "sglang"
	NameTensorRT = "tensorrt_llm"
	NameDynamo   = "dynamo" // a front end, and before another name and a hyphen a worker of it
)

// Roles of Facts.
const (
	roleAggregated = "aggregated"
	rolePrefill    = "prefill"
	roleDecode     = "decode"
)

// New opens the book of an engine process that has just started. Behind "dynamo-" the name is that of the engine that Dynamo
// runs: its page then has Dynamo's own families before the engine's. Errors name key, value and what is known.
func New(name string, f Facts) (Book, error) {
	inner, worker := strings.CutPrefix(name, NameDynamo+"-")
	book, err := open(inner, f)
	if err != nil {
		return nil, fmt.Errorf("engine %s: %w", name, err)
	}
	if !worker {
		return book, nil
	}
	if book, err = newDynamoWorker(book, f); err != nil {
		return nil, fmt.Errorf("engine %s: %w", name, err)
	}
	return book, nil
}

func open(name string, f Facts) (Book, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	switch name {
	case NameVLLM:
		return newVLLM(f)
	case NameSGLang:
		return newSGLang(f)
	case NameTensorRT:
		return newTensorRT(f)
	default:
		return nil, fmt.Errorf("engine: got %q, known are %s, %s, %s, and %s- before one of them",
			name, NameVLLM, NameSGLang, NameTensorRT, NameDynamo)
	}
}

// check refuses facts that no page can have.
func (f *Facts) check() error {
	for _, c := range []struct {
		key   string
		value int
	}{
		{"rank", f.Rank}, {"ranks", f.Ranks}, {"block size", f.BlockSize}, {"blocks", f.Blocks}, {"API servers", f.APIServers},
		{"speculative tokens", f.SpeculativeTokens}, {"adapters", f.MaxAdapters}, {"longest context", f.MaxModelTokens},
	} {
		if c.value < 0 {
			return fmt.Errorf("%s: got %d, want at least 0", c.key, c.value)
		}
	}
	if f.Ranks > 0 && f.Rank >= f.Ranks {
		return fmt.Errorf("rank: got %d, want less than the %d ranks", f.Rank, f.Ranks)
	}
	if f.ResidencySample < 0 || f.ResidencySample > 1 {
		return fmt.Errorf("residency sample: got %g, want 0 to 1", f.ResidencySample)
	}
	switch f.Role {
	case "", roleAggregated, rolePrefill, roleDecode:
	default:
		return fmt.Errorf("role: got %q, known are %s, %s and %s", f.Role, roleAggregated, rolePrefill, roleDecode)
	}
	switch f.KVConnector {
	case "", connectorNIXL:
		return nil
	default:
		return fmt.Errorf("KV connector: got %q, known is %s", f.KVConnector, connectorNIXL)
	}
}

// Join puts the data-parallel ranks of one engine, each a book without any work yet, behind one port: from then on each of them
// writes the page of all. What Join returns is that page.
func Join(ranks ...Book) (Page, error) {
	if len(ranks) == 0 {
		return nil, fmt.Errorf("ranks: got none, want at least 1")
	}
	switch ranks[0].(type) {
	case *VLLM:
		cores, err := same[*VLLM](ranks)
		if err != nil {
			return nil, err
		}
		return joinVLLM(cores)
	case *SGLang:
		cores, err := same[*SGLang](ranks)
		if err != nil {
			return nil, err
		}
		return joinSGLang(cores)
	default:
		return nil, fmt.Errorf("ranks: got %T, only those of vLLM and SGLang share a page", ranks[0])
	}
}

// same gives books of one engine that differ in their ranks.
func same[T Book](ranks []Book) ([]T, error) {
	cores := make([]T, len(ranks))
	for i, r := range ranks {
		c, ok := r.(T)
		if !ok {
			return nil, fmt.Errorf("ranks: got %T beside %T, want one engine", r, ranks[0])
		}
		cores[i] = c
	}
	return cores, nil
}

// distinct refuses ranks that occur twice or speak differently.
func distinct(facts []Facts) error {
	seen := make(map[int]bool)
	for _, f := range facts {
		if seen[f.Rank] {
			return fmt.Errorf("rank: got %d twice, want every rank once", f.Rank)
		}
		seen[f.Rank] = true
		if f.Version != facts[0].Version || f.FrontEnd != facts[0].FrontEnd {
			return fmt.Errorf("version: got %q %q and %q %q on one page, want one", facts[0].Version, facts[0].FrontEnd, f.Version, f.FrontEnd)
		}
	}
	return nil
}

func joinVLLM(cores []*VLLM) (Page, error) {
	facts := make([]Facts, len(cores))
	for i, c := range cores {
		facts[i] = c.facts
	}
	if err := distinct(facts); err != nil {
		return nil, err
	}
	if cores[0].v0() && len(cores) > 1 {
		return nil, fmt.Errorf("ranks: got %d of version %q, V0 has one", len(cores), cores[0].facts.Version)
	}
	page := newVLLMPage(cores)
	for _, c := range cores {
		c.facts.Ranks, c.page = max(c.facts.Ranks, len(cores)), page
	}
	return cores[0], nil
}

func joinSGLang(cores []*SGLang) (Page, error) {
	facts := make([]Facts, len(cores))
	for i, c := range cores {
		facts[i] = c.facts
	}
	if err := distinct(facts); err != nil {
		return nil, err
	}
	for _, c := range cores {
		c.facts.Ranks = max(c.facts.Ranks, len(cores))
	}
	page := newSGLangPage(cores)
	for _, c := range cores {
		c.front, c.page = cores[0].front, page
	}
	return cores[0], nil
}
