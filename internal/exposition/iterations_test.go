package exposition

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

const trtPage = "# TYPE trtllm_num_requests_running gauge\ntrtllm_num_requests_running{model_name=\"m\"} 1\n"

func TestIterationsAddUp(t *testing.T) {
	b := newBook(t)
	got, _ := play(t, b, trtPage)
	assert.NotContains(t, got, "phase.busy_time", "not read, not told")
	record := func(iter, context, generation, milliseconds string) string {
		return `{"iter":` + iter + `,"iterLatencyMS":` + milliseconds + `,"inflightBatchingStats":{"numContextRequests":` + context + `,"numGenRequests":` + generation + `},"new":{}}`
	}
	at := pcommon.NewTimestampFromTime(start())
	take := func(body string) int64 {
		lost, err := b.Iterations([]byte(body), at)
		require.NoError(t, err)
		return lost
	}
	assert.Zero(t, take("["+record("7", "1", "0", "250")+","+record("8", "0", "3", "20")+","+record("9", "2", "3", "300")+","+record("10", "0", "0", "5")+"]"))
	assert.Zero(t, take("[]"))
	assert.Equal(t, int64(4), take("["+record("15", "0", "1", "30")+"]"), "11 to 14 went elsewhere")
	assert.Zero(t, take("["+record("1", "0", "1", "50")+"]"), "the engine began anew")
	got, _ = play(t, b, trtPage)
	for _, want := range []string{
		"llm.engine.phase.busy_time sum s {llm.phase=prefill} since 1m40s 0.25\n", "llm.engine.phase.busy_time sum s {llm.phase=decode} since 1m40s 0.1\n",
		"llm.engine.phase.busy_time sum s {llm.phase=mixed} since 1m40s 0.3\n", "llm.engine.iteration.count sum {iteration} {llm.phase=prefill} since 1m40s 1\n",
		"llm.engine.iteration.count sum {iteration} {llm.phase=decode} since 1m40s 3\n", "llm.engine.iteration.count sum {iteration} {llm.phase=mixed} since 1m40s 1\n",
	} {
		assert.Contains(t, got, want)
	}
	_, err := b.Iterations([]byte(`{"error":"x"}`), at)
	assert.ErrorContains(t, err, "not a list of iterations")
	_, err = b.Iterations([]byte(`[{"iter":1},`), at)
	assert.Error(t, err)
}

func FuzzIterations(f *testing.F) {
	for _, seed := range []string{"[]", `[{"iter":1,"iterLatencyMS":1e400}]`, `[{"iter":-5,"iterLatencyMS":-1,"inflightBatchingStats":{"numGenRequests":1}}]`, "null", "{}", "[{}]", "[null]",
		`[{"iter":1},{"iter":9223372036854775807},{"iter":1},{"iter":9223372036854775807}]`,
		`[{"iter":1,"iterLatencyMS":1e308,"inflightBatchingStats":{"numGenRequests":1}},{"iter":2,"iterLatencyMS":1.7e308,"inflightBatchingStats":{"numGenRequests":1}}]`,
		`[{"iter":7,"iterLatencyMS":20.5,"inflightBatchingStats":{"numContextRequests":1,"numGenRequests":3,"more":[1,{"a":null}]},"kvCacheStats":{}}]`,
		`[{"iter":1.5}]`, `[{"iter":"1"}]`, `[{"inflightBatchingStats":null}]`, `[{"inflightBatchingStats":[]}]`, "[", `[{"iter":1}] trailing`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b := newBook(t)
		lost, _ := b.Iterations(body, 1)
		require.GreaterOrEqual(t, lost, int64(0))
		md, _, err := b.Scrape([]byte(trtPage+"\n"), false, start(), "")
		require.NoError(t, err)
		checkSound(t, md)
	})
}
