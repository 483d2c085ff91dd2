package exposition

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// randomFamily is a family as a random engine exposes it.
type randomFamily struct {
	name, declared string
	label          string   // of the family's own, or ""
	values         []string // of that label
	bounds         []string
}

func randomFamilies(rng *rand.Rand) []randomFamily {
	all := []randomFamily{
		{name: "vllm:num_requests_running", declared: "gauge"},
		{name: "vllm:num_requests_waiting", declared: "gauge"},
		{name: "vllm:num_requests_waiting_by_reason", declared: "gauge", label: "reason", values: []string{"capacity", "deferred"}},
		{name: "vllm:kv_cache_usage_perc", declared: "gauge"},
		{name: "vllm:gpu_cache_usage_perc", declared: "gauge"},
		{name: "vllm:prompt_tokens_total", declared: "counter"},
		{name: "vllm:prompt_tokens_by_source_total", declared: "counter", label: "source", values: []string{"local_compute", "p\\\"q", "x"}},
		{name: "vllm:request_success_total", declared: "counter", label: "finished_reason", values: []string{"stop", "length", "a b"}},
		{name: "vllm:mystery_total", declared: "counter"},
		{name: "vllm:iteration_tokens_total", declared: "histogram", bounds: []string{"1.0", "8.0", "16.0", "+Inf"}},
		{name: "vllm:inter_token_latency_seconds", declared: "histogram", bounds: []string{"0.01", "0.025", "+Inf"}},
		{name: "vllm:time_per_output_token_seconds", declared: "histogram", bounds: []string{"0.01", "0.025", "+Inf"}},
		{name: "vllm:model_forward_time_milliseconds", declared: "histogram", bounds: []string{"9.0", "25.0", "+Inf"}},
		{name: "http_requests_total", declared: "counter", label: "handler", values: []string{"/a", "/b"}},
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return append(slices.Clone(all[:2+rng.IntN(len(all)-2)]), randomFamily{name: "vllm:num_preemptions_total", declared: "counter"})
}

// randomPage writes the families in random order, each with all its series for two ranks, in random label order.
func randomPage(rng *rand.Rand, families []randomFamily, openMetrics bool) string {
	var page strings.Builder
	rng.Shuffle(len(families), func(i, j int) { families[i], families[j] = families[j], families[i] })
	for _, f := range families {
		name := f.name
		if openMetrics && f.declared == "counter" {
			name = strings.TrimSuffix(name, "_total")
		}
		fmt.Fprintf(&page, "# HELP %s Some help with a \\\\ in it.\n# TYPE %s %s\n", name, name, f.declared)
		for _, rank := range []string{"0", "1"} {
			values := f.values
			if f.label == "" {
				values = []string{""}
			}
			for _, v := range values {
				f.write(rng, &page, rank, v)
			}
		}
		if !openMetrics && rng.IntN(4) == 0 {
			page.WriteString("\n# a comment\n\n")
		}
	}
	if openMetrics {
		page.WriteString("# EOF\n")
	}
	return page.String()
}

func (f randomFamily) write(rng *rand.Rand, page *strings.Builder, rank, value string) {
	pairs := []string{`model_name="org/m"`, fmt.Sprintf(`engine="%s"`, rank)}
	if f.label != "" {
		pairs = append(pairs, fmt.Sprintf(`%s="%s"`, f.label, value))
	}
	if f.declared != "histogram" {
		fmt.Fprintf(page, "%s{%s} %d\n", f.name, shuffled(rng, pairs), rng.IntN(1000))
		return
	}
	n := 0
	for _, bound := range f.bounds {
		n += rng.IntN(50)
		fmt.Fprintf(page, "%s_bucket{%s} %d.0\n", f.name, shuffled(rng, append(slices.Clone(pairs), fmt.Sprintf(`le="%s"`, bound))), n)
	}
	fmt.Fprintf(page, "%s_count{%s} %d\n%s_sum{%s} %v\n", f.name, shuffled(rng, pairs), n, f.name, shuffled(rng, pairs), rng.Float64()*100)
}

func shuffled(rng *rand.Rand, pairs []string) string {
	rng.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	return strings.Join(pairs, ",")
}
