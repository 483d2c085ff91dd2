package dialect

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func TestHintsOfAVersion(t *testing.T) {
	sources := func(engine, version string) (found []string) {
		for _, h := range Hints(engine, version) {
			assert.NotEmpty(t, h.How)
			found = append(found, h.Source)
		}
		return found
	}
	both := []string{signal.SourceKVEvents, signal.SourceForwardPasses}
	assert.Equal(t, both, sources("vllm", "0.32.0"))
	assert.Equal(t, both, sources("vllm", "0.10.0rc1"))
	assert.Equal(t, both, sources("vllm", ""))
	assert.Equal(t, []string{signal.SourceForwardPasses}, sources("vllm", "0.8.5.post1"))
	assert.Equal(t, both, sources("sglang", "v0.5.23"))
	assert.Equal(t, []string{signal.SourceKVEvents}, sources("sglang", "0.5.9"))
	assert.Empty(t, sources("tensorrt_llm", "1.2.1"))
	assert.Equal(t, []string{signal.SourceKVEvents}, sources("tensorrt_llm", "1.3.0rc27"))
	assert.Empty(t, sources("llama_cpp", ""))
}
