package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim/physics"
)

// splitwiseKey is one configuration of the perf_model of splitwise-sim.
type splitwiseKey struct {
	gpu            string
	tensorParallel int
	prompt, batch  int
}

// splitwiseValue collects the repeated measurements of a configuration.
type splitwiseValue struct{ prompt, token, peak, average []float64 }

// splitwiseTables compares prompt and token times and the power of Llama-2-70B with the perf_model of splitwise-sim; its stacks were
// fitted at TP 2 and 4.
func splitwiseTables(data string, report func(result)) error {
	table, err := readSplitwise(filepath.Join(data, "traces", "splitwise-sim", "perf_model.csv.gz"))
	if err != nil {
		return err
	}
	figures, err := fleetsim.PhysicsFigures()
	if err != nil {
		return err
	}
	for _, c := range []struct {
		gpu, stack string
		tp         int
		tolerance  float64 // of prompt times
	}{
		{"h100", "eager-2023", 2, 0.15}, {"h100", "eager-2023", 4, 0.15}, {"h100", "eager-2023", 8, 0.20},
		{"a100", "eager-2023-a100", 2, 0.20}, {"a100", "eager-2023-a100", 4, 0.20}, {"a100", "eager-2023-a100", 8, 0.15},
	} {
		m, err := figures.NewCost(physics.Deployment{Model: "llama-3-70b", GPU: c.gpu, Stack: c.stack, Precision: "bf16", TensorParallel: c.tp})
		if err != nil {
			return err
		}
		name := fmt.Sprintf("A14/splitwise/%s-tp%d", c.gpu, c.tp)
		promptTimes(report, table, m, name, c.gpu, c.tp, c.tolerance)
		if c.tp == 8 {
			tokenTimes(report, table, m, name, c.gpu, c.tp)
		}
		if c.gpu == "a100" && c.tp == 8 {
			power(report, table, m, name, figures.GPUs[c.gpu].TDP)
		}
	}
	return nil
}

func promptTimes(report func(result), table map[splitwiseKey]*splitwiseValue, m *physics.Cost, name, gpu string, tp int, tolerance float64) {
	for _, prompt := range []int{512, 1024, 2048, 4096, 8192} {
		v := table[splitwiseKey{gpu, tp, prompt, 1}]
		if v == nil {
			continue
		}
		within(report, fmt.Sprintf("%s/prompt-%d", name, prompt), 1e3*m.Seconds(prefill(prompt)), median(v.prompt), tolerance, "ms")
	}
}

func tokenTimes(report func(result), table map[splitwiseKey]*splitwiseValue, m *physics.Cost, name, gpu string, tp int) {
	for _, batch := range []int{1, 8, 16, 32, 64} {
		v := table[splitwiseKey{gpu, tp, 512, batch}]
		if v == nil {
			continue
		}
		within(report, fmt.Sprintf("%s/token-batch-%d", name, batch), 1e3*m.Seconds(decode(batch, 576)), median(v.token), 0.15, "ms")
	}
}

// power compares the mean power of requests with 128 tokens of answer, and tells that of the prompt alone beside the measured peak.
func power(report func(result), table map[splitwiseKey]*splitwiseValue, m *physics.Cost, name string, tdp float64) {
	for _, prompt := range []int{512, 2048, 4096} {
		v := table[splitwiseKey{"a100", 8, prompt, 1}]
		if v == nil {
			continue
		}
		p, d := m.Demand(prefill(prompt)), m.Demand(decode(1, prompt+64))
		mean := (p.Joules + 127*d.Joules) / (p.Seconds + 127*d.Seconds) / 8 / tdp
		within(report, fmt.Sprintf("%s/average-power-%d", name, prompt), mean, median(v.average), 0.15, "xTDP")
		informs(report, fmt.Sprintf("%s/prompt-power-%d", name, prompt),
			fmt.Sprintf("%.2fxTDP(measured-peak=%.2f)", p.Joules/p.Seconds/8/tdp, median(v.peak)))
	}
}

func prefill(tokens int) physics.Work {
	n := float64(tokens)
	return physics.Work{PrefillTokens: tokens, PrefillSequences: 1, PrefillOutputs: 1, PrefillContext: n * (n + 1) / 2}
}

func decode(batch, context int) physics.Work {
	return physics.Work{DecodeSequences: batch, DecodeContext: float64(batch * context)}
}

// median is that of the positive values (0 is not measured); NaN without any.
func median(values []float64) float64 {
	values = slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return v <= 0 })
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// readSplitwise reads the rows of Llama-2-70B.
func readSplitwise(path string) (map[splitwiseKey]*splitwiseValue, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	gpus := map[string]string{"a100-80gb": "a100", "h100-80gb": "h100"}
	table := map[splitwiseKey]*splitwiseValue{}
	err = readCSV(plain, path, func(row map[string]string) error {
		gpu, known := gpus[row["hardware"]]
		if !known || row["model"] != "llama2-70b" {
			return nil
		}
		var v [7]float64
		for i, column := range []string{"tensor_parallel", "prompt_size", "batch_size", "prompt_time", "token_time", "peak_power", "average_power"} {
			x, err := number(row, column)
			if err != nil {
				return err
			}
			v[i] = x
		}
		key := splitwiseKey{gpu, int(v[0]), int(v[1]), int(v[2])}
		if table[key] == nil {
			table[key] = &splitwiseValue{}
		}
		t := table[key]
		t.prompt, t.token = append(t.prompt, v[3]), append(t.token, v[4])
		t.peak, t.average = append(t.peak, v[5]), append(t.average, v[6])
		return nil
	})
	if err == nil && len(table) == 0 {
		err = errors.New(path + ": no rows of llama2-70b")
	}
	return table, err
}
