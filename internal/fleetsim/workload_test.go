package fleetsim

import (
	"compress/gzip"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Published figures of the two traces the synthetic traffic stands in for.
func TestSyntheticTrafficMatchesThePublishedFigures(t *testing.T) {
	fig, err := loadFigures()
	if err != nil {
		t.Fatal(err)
	}
	for shape, want := range map[string]struct{ rate, cv, inMean, inMedian, outMean, outMedian float64 }{
		"azure-conversation": {5.53, 1.09, 1155, 1020, 211, 129},
		"azure-code":         {2.57, 13.15, 2048, 1469, 27.9, 13},
	} {
		src, err := Synthetic{Shape: shape, Load: 1}.open(fig, rand.New(rand.NewPCG(1, 2)))
		if err != nil {
			t.Fatal(err)
		}
		// Bursts of a CV of 13 need many arrivals before their mean settles.
		const n = 400_000
		var in, out, gaps []float64
		last := time.Duration(0)
		for range n {
			r, _, err := src.next()
			if err != nil {
				t.Fatal(err)
			}
			in, out = append(in, float64(r.PromptTokens)), append(out, float64(r.OutputTokens))
			gaps = append(gaps, (r.At - last).Seconds())
			last = r.At
		}
		check := func(name string, got, want, tolerance float64) {
			if math.Abs(got/want-1) > tolerance {
				t.Errorf("%s: %s is %.4g, published %.4g", shape, name, got, want)
			}
		}
		check("rate", n/last.Seconds(), want.rate, 0.05)
		check("inter-arrival CV", deviation(gaps)/mean(gaps), want.cv, 0.05)
		check("input mean", mean(in), want.inMean, 0.03)
		check("input median", median(in), want.inMedian, 0.01)
		check("output mean", mean(out), want.outMean, 0.03)
		check("output median", median(out), want.outMedian, 0.01)
	}
}

func mean(v []float64) float64 {
	var s float64
	for _, x := range v {
		s += x
	}
	return s / float64(len(v))
}

func deviation(v []float64) float64 {
	m, s := mean(v), 0.0
	for _, x := range v {
		s += (x - m) * (x - m)
	}
	return math.Sqrt(s / float64(len(v)))
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

const azureLines = "TIMESTAMP,ContextTokens,GeneratedTokens\n" +
	"2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.6805900,396,109\n2023-11-16 18:15:50.6805900,10,1\n"

const mooncakeLines = `{"timestamp": 0, "input_length": 1100, "output_length": 3, "hash_ids": [0, 1, 2]}
{"timestamp": 3000, "input_length": 1100, "output_length": 2, "hash_ids": [0, 1, 9]}
`

// write puts a file with the given name and text into a temporary folder, compressed by its ending.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	switch filepath.Ext(name) {
	case ".gz":
		z := gzip.NewWriter(file)
		_, err = z.Write([]byte(text))
		if err == nil {
			err = z.Close()
		}
	case ".zst":
		var z *zstd.Encoder
		if z, err = zstd.NewWriter(file); err == nil {
			if _, err = z.Write([]byte(text)); err == nil {
				err = z.Close()
			}
		}
	default:
		_, err = file.WriteString(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// read takes up to n requests.
func read(t *testing.T, w Workload, n int) ([]Request, error) {
	t.Helper()
	src, err := w.open(nil, nil)
	if err != nil {
		return nil, err
	}
	defer src.close()
	var out []Request
	for len(out) < n {
		r, ok, err := src.next()
		if err != nil || !ok {
			return out, err
		}
		out = append(out, r)
	}
	return out, nil
}

func TestAzureTrace(t *testing.T) {
	for _, name := range []string{"a.csv", "a.csv.gz", "a.csv.zst"} {
		got, err := read(t, Trace{Path: write(t, name, azureLines), Load: 2}, 10)
		if err != nil || len(got) != 3 {
			t.Fatalf("%s: %d requests, %v", name, len(got), err)
		}
		if got[1].At != 2*time.Second || got[1].PromptTokens != 396 || got[1].OutputTokens != 109 || got[0].At != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestTraceLoops(t *testing.T) {
	got, err := read(t, Trace{Path: write(t, "a.csv", azureLines), Load: 1, Loop: true}, 7)
	if err != nil || len(got) != 7 {
		t.Fatalf("%d requests, %v", len(got), err)
	}
	// 4 s long with a mean interval of 2 s: the next pass starts at 6 s.
	for i, want := range []time.Duration{0, 4, 4, 6, 10, 10, 12} {
		if got[i].At != want*time.Second {
			t.Errorf("request %d arrives at %s, want %d s", i, got[i].At, want)
		}
	}
}

func TestMooncakeTraceSharesPrefixes(t *testing.T) {
	cfg := small()
	cfg.Pools[0].MaxBatchedTokens, cfg.Pools[0].MaxModelTokens = 2048, 4096
	cfg.Workload = Trace{Path: write(t, "m.jsonl.zst", mooncakeLines), Load: 1}
	f := start(t, cfg)
	finish(t, f)
	// Two pieces of 512 tokens, 32 blocks each, are the same.
	if got := f.Truth().CachedTokens; got != 1024 {
		t.Errorf("%d cached tokens, want 1024", got)
	}
}

func TestTraceErrorsNameFileLineAndValue(t *testing.T) {
	head := "TIMESTAMP,ContextTokens,GeneratedTokens\n"
	for text, want := range map[string]string{
		head + "2023-11-16 18:15:46,12\n":                               `a.csv:2: want 3 fields TIMESTAMP,ContextTokens,GeneratedTokens, got "2023-11-16 18:15:46,12"`,
		head + "yesterday,12,3\n":                                       `a.csv:2: TIMESTAMP "yesterday"`,
		head + "2023-11-16 18:15:46,12,0\n":                             `a.csv:2: GeneratedTokens "0": want a whole number of at least 1`,
		head + "2023-11-16 18:15:46,x,3\n":                              `a.csv:2: ContextTokens "x"`,
		head + "2023-11-16 18:15:46,1,3\n\n2023-11-16 18:15:45.5,1,3\n": "a.csv:4: time goes back by 0.5 s",
		head: "a.csv: no requests",
	} {
		_, err := read(t, Trace{Path: write(t, "a.csv", text), Load: 1}, 10)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	for text, want := range map[string]string{
		"{\n": "a.jsonl:1: unexpected end",
		`{"input_length": 1, "output_length": 1}`:                  "a.jsonl:1: timestamp: missing",
		`{"timestamp": 1, "input_length": 0, "output_length": 1}`:  "a.jsonl:1: input_length: must be at least 1, is 0",
		`{"timestamp": 1, "input_length": 1, "output_length": -2}`: "a.jsonl:1: output_length: must be at least 1, is -2",
	} {
		_, err := read(t, Trace{Path: write(t, "a.jsonl", text), Load: 1}, 10)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	for _, bad := range []Trace{{Path: "x.txt", Load: 1}, {Path: "x.csv", Load: 0}, {Path: "missing.csv", Load: 1}, {Path: "x.csv", Load: 1, Format: "pcap"}} {
		if _, err := read(t, bad, 1); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// What arrived before a bad line is served, and the error stays.
func TestBadLineStopsTheArrivalsOnly(t *testing.T) {
	cfg := small()
	cfg.Pools[0].MaxModelTokens, cfg.Pools[0].MaxBatchedTokens = 4096, 512
	cfg.Workload = Trace{Path: write(t, "a.csv", azureLines+"oops\n"), Load: 1}
	f := start(t, cfg)
	for range 2 {
		if err := f.Advance(20 * time.Second); err == nil || !strings.Contains(err.Error(), `a.csv:5: want 3 fields`) {
			t.Errorf("got %v", err)
		}
	}
	if got := f.Truth().FinishedRequests; got != 3 {
		t.Errorf("%d requests finished, want 3", got)
	}
}
