package exposition

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// generated writes the parts of one counter, which differ in a label that no table names. Those below 0 are not on the page.
func generated(values ...int) string {
	var page strings.Builder
	page.WriteString("# TYPE vllm:generation_tokens_total counter\n")
	for i, v := range values {
		if v >= 0 {
			fmt.Fprintf(&page, "vllm:generation_tokens_total{engine=\"0\",model_name=\"m\",x=\"%d\"} %d\n", i+1, v)
		}
	}
	return page.String()
}

// TestPartsOfACounter: a part that is missing or begins anew is no restart of the others, and no rate is doubled.
func TestPartsOfACounter(t *testing.T) {
	for _, tt := range []struct {
		name      string
		pages     []string
		want      string
		restarted bool
	}{
		{"a part is missing", []string{generated(1000, 500), generated(-1, 510)}, "since 10s 1510", false},
		{"and comes back", []string{generated(1000, 500), generated(-1, 510), generated(1005, 520)}, "since 20s 1525", false},
		{"a part begins anew", []string{generated(1000, 500), generated(1010, 5)}, "since 10s 1515", false},
		{"and goes on", []string{generated(1000, 500), generated(1010, 5), generated(1010, 7)}, "since 20s 1517", false},
		{"all begin anew", []string{generated(1000, 500), generated(10, 5)}, "since 10s 15", true},
		{"the process begins anew", []string{process(0) + generated(1000, 500), process(105) + generated(1001, -1)}, "since 5s 1001", true},
		{"and the missing part comes later", []string{
			process(0) + generated(1000, 500), process(105) + generated(10, -1), process(105) + generated(11, 2),
		}, "since 15s 13", false},
		{"a second part joins while the first begins anew", []string{generated(1000), generated(3, 7)}, "since 10s 1010", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, report := play(t, newBook(t), tt.pages...)
			assert.Contains(t, got, "llm.engine.tokens.generated sum {token} {} "+tt.want+"\n")
			assert.Equal(t, tt.restarted, report.Restarted)
		})
	}
}

// TestAPartThatIsCreatedLater is no new beginning of those that were there.
func TestAPartThatIsCreatedLater(t *testing.T) {
	at := func(x string, after int) string {
		return strings.ReplaceAll(created(after), `model_name="m"`, `model_name="m",x="`+x+`"`)
	}
	b := newBook(t)
	got, report := play(t, b, generated(1000)+at("1", 50), generated(1000, 5)+at("1", 50)+at("2", 105))
	assert.False(t, report.Restarted)
	assert.Contains(t, got, "llm.engine.tokens.generated sum {token} {} since 1m0s 1005\n")
	got, report = play(t, newBook(t), generated(1000, 500)+at("1", 50)+at("2", 60), generated(1010, 5)+at("1", 50)+at("2", 105))
	assert.False(t, report.Restarted)
	assert.Contains(t, got, "llm.engine.tokens.generated sum {token} {} since 50s 1515\n")
}

// TestLabelsInAnotherOrder are no other part.
func TestLabelsInAnotherOrder(t *testing.T) {
	b := newBook(t)
	turned := strings.ReplaceAll(tokens(7), `engine="0",model_name="m"`, `model_name="m",engine="0"`)
	got, report := play(t, b, tokens(5), turned, tokens(9))
	assert.Contains(t, got, "llm.engine.tokens.generated sum {token} {} since 20s 9\n")
	assert.Equal(t, 2, report.SeriesRemembered)
}

// TestAPartThatIsForgotten keeps what it counted.
func TestAPartThatIsForgotten(t *testing.T) {
	pages := []string{generated(1000, 500)}
	for range 3 * sweepEvery {
		pages = append(pages, generated(-1, 510))
	}
	got, report := play(t, newBook(t), pages...)
	assert.False(t, report.Restarted)
	assert.Equal(t, 1, report.SeriesRemembered)
	assert.Contains(t, got, "since 30m0s 1510\n")
	got, report = play(t, newBook(t), append(pages, generated(-1, 3))...)
	assert.True(t, report.Restarted, "the only one left")
	assert.Contains(t, got, "since 10s 3\n")
}

// TestPartsOfAHistogram: a part that is missing is held, bucket by bucket.
func TestPartsOfAHistogram(t *testing.T) {
	part := func(x string, low, all int) string {
		return fmt.Sprintf(strings.ReplaceAll("vllm:request_queue_time_seconds_bucket{L,le=\"0.3\"} %d\n"+
			"vllm:request_queue_time_seconds_bucket{L,le=\"+Inf\"} %d\nvllm:request_queue_time_seconds_count{L} %d\nvllm:request_queue_time_seconds_sum{L} %d\n",
			"L", `engine="0",model_name="m",x="`+x+`"`), low, all, all, all)
	}
	const declared = "# TYPE vllm:request_queue_time_seconds histogram\n"
	both := declared + part("1", 6, 10) + part("2", 3, 5)
	b := newBook(t)
	got, report := play(t, b, both, declared+part("2", 3, 6))
	assert.False(t, report.Restarted)
	assert.Contains(t, got, "since 10s count=16 sum=16 <=0.3:9 <=+Inf:7 bounds=1\n")
	got, report = play(t, newBook(t), both, declared+part("2", 3, 6), declared+part("1", 7, 11)+part("2", 3, 6))
	assert.False(t, report.Restarted)
	assert.Contains(t, got, "since 20s count=17 sum=17 <=0.3:10 <=+Inf:7 bounds=1\n")
	got, report = play(t, newBook(t), process(0)+both, process(105)+declared+part("2", 1, 2))
	assert.True(t, report.Restarted)
	assert.Contains(t, got, "since 5s count=2 sum=2 <=0.3:1 <=+Inf:1 bounds=1\n")
	got, report = play(t, newBook(t), both, both, declared+part("1", 7, 11)+part("2", 1, 2))
	assert.False(t, report.Restarted, "one of them began anew")
	assert.Contains(t, got, "since 20s count=18 sum=18 <=0.3:11 <=+Inf:7 bounds=1\n")
	got, report = play(t, newBook(t), both, both, declared+part("1", 7, 11)+part("2", 4, 4), declared+part("2", 4, 5)+part("1", 7, 11))
	assert.False(t, report.Restarted, "and its lowest bucket did not fall")
	assert.Contains(t, got, "since 30s count=21 sum=21 <=0.3:14 <=+Inf:7 bounds=1\n")
	got, report = play(t, newBook(t), both, both, declared+part("1", 1, 2)+part("2", 1, 2))
	assert.True(t, report.Restarted, "all began anew")
	assert.Contains(t, got, "since 10s count=4 sum=4 <=0.3:2 <=+Inf:2 bounds=1\n")
	got, report = play(t, newBook(t), both, both, declared+part("2", 1, 2), declared+part("1", 1, 3)+part("2", 1, 2))
	assert.False(t, report.Restarted, "the one that is missing is held, and began anew meanwhile")
	assert.Contains(t, got, "count=20 sum=20 <=0.3:11 <=+Inf:9 ")
	got, _ = play(t, newBook(t), process(0)+both, process(0)+both, process(115)+declared+part("2", 1, 2), process(115)+declared+part("1", 1, 3)+part("2", 1, 2))
	assert.Contains(t, got, "count=5 sum=5 ", "nothing of before a restart stays")
	pages := []string{both}
	for range 3 * sweepEvery {
		pages = append(pages, declared+part("2", 3, 6))
	}
	got, report = play(t, newBook(t), pages...)
	assert.False(t, report.Restarted)
	assert.Contains(t, got, "since 30m0s count=16 sum=16 <=0.3:9 <=+Inf:7 bounds=1\n")
}

// TestPartsAddUp plays random parts that grow, are missing and begin anew one at a time: the increments of the points are those of the
// parts, as far as a page could show them.
func TestPartsAddUp(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 2))
		b := newBook(t)
		values, shown := []int{100, 100, 100}, []int{100, 100, 100}
		total, want := 0.0, 0.0
		var begin, at pcommon.Timestamp
		var before float64
		for i := range 4 * sweepEvery {
			page, restarted := make([]int, len(values)), rng.IntN(len(values))
			for k := range values {
				values[k] += rng.IntN(10)
				if k == restarted && i > 0 && i%7 == 0 {
					values[k] = rng.IntN(3)
				}
				page[k] = values[k]
				if k > 0 && i > 0 && rng.IntN(3) == 0 {
					page[k] = -1
					continue
				}
				if i > 0 && values[k] >= shown[k] {
					want += float64(values[k] - shown[k])
				} else if i > 0 {
					want += float64(values[k])
				}
				shown[k] = values[k]
			}
			md, _, err := b.Scrape(body(generated(page...)), false, start().Add(time.Duration(100+10*i)*time.Second), "")
			require.NoError(t, err)
			p, ok := point(md, signal.TokensGenerated)
			require.True(t, ok)
			switch {
			case begin == 0:
			case p.StartTimestamp() == begin:
				require.GreaterOrEqual(t, p.DoubleValue(), before)
				total += p.DoubleValue() - before
			default:
				require.GreaterOrEqual(t, p.StartTimestamp(), at)
				total += p.DoubleValue()
			}
			begin, at, before = p.StartTimestamp(), p.Timestamp(), p.DoubleValue()
			require.Equal(t, want, total, "seed %d page %d", seed, i)
		}
	}
}
