package fleetsim

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// drain takes requests from a workload until simulated time `until`.
func drain(t *testing.T, w Workload, until time.Duration) []Request {
	t.Helper()
	fig, err := loadFigures()
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.open(fig, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var out []Request
	for {
		r, ok, err := s.next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok || r.At > until {
			return out
		}
		if len(out) > 0 && r.At < out[len(out)-1].At {
			t.Fatalf("time goes back to %s", r.At)
		}
		out = append(out, r)
	}
}

func TestCustomTraffic(t *testing.T) {
	c := Custom{Rate: 20, CV: 1, Prompt: Uniform(100, 300), Output: Uniform(10, 30)}
	requests := drain(t, c, 1000*time.Second)
	if n := float64(len(requests)); math.Abs(n/20000-1) > 0.03 {
		t.Errorf("%g requests, want about 20000", n)
	}
	sum := 0.0
	for _, r := range requests {
		if r.PromptTokens < 100 || r.PromptTokens > 300 || r.OutputTokens < 10 || r.OutputTokens > 30 {
			t.Fatalf("%+v is out of range", r)
		}
		sum += float64(r.PromptTokens)
	}
	if mean := sum / float64(len(requests)); math.Abs(mean/200-1) > 0.02 {
		t.Errorf("mean prompt %g, want 200", mean)
	}
}

func TestBurstsAndMix(t *testing.T) {
	steady := Custom{Rate: 5, CV: 1, Prompt: Uniform(100, 100), Output: Uniform(10, 10)}
	heavy := Custom{Rate: 50, CV: 1, Prompt: Uniform(4000, 4000), Output: Uniform(1, 1)}
	burst := Bursts{Of: heavy, Every: 10 * time.Second, For: time.Second}
	alone := drain(t, burst, 500*time.Second)
	for _, r := range alone {
		if r.At%(10*time.Second) >= time.Second {
			t.Fatalf("a request of a burst at %s", r.At)
		}
	}
	if n := float64(len(alone)); math.Abs(n/2500-1) > 0.1 {
		t.Errorf("%g requests in bursts, want about 2500", n)
	}
	var short, long int
	for _, r := range drain(t, Mix{steady, burst}, 500*time.Second) {
		if r.PromptTokens == 100 {
			short++
		} else {
			long++
		}
	}
	if math.Abs(float64(short)/2500-1) > 0.1 || math.Abs(float64(long)/2500-1) > 0.1 {
		t.Errorf("%d and %d requests, want about 2500 each", short, long)
	}
}

func TestCustomErrorsNameKeyBoundAndValue(t *testing.T) {
	fig, err := loadFigures()
	if err != nil {
		t.Fatal(err)
	}
	good := Custom{Rate: 1, CV: 1, Prompt: Uniform(1, 2), Output: Uniform(1, 2)}
	for want, w := range map[string]Workload{
		"workload.custom.requests_per_second: must be above 0 and below 1e6, is 0":          Custom{CV: 1},
		"workload.custom.interarrival_cv: must be above 0 and at most 100, is -1":           Custom{Rate: 1, CV: -1},
		"workload.custom.prompt_tokens: needs at least two points, from probability 0 to 1": Custom{Rate: 1, CV: 1},
		"workload.bursts.for: must be above 0s and at most every 1s, is 2s":                 Bursts{Of: good, Every: time.Second, For: 2 * time.Second},
		"workload.mix: must have at least 1 part, has 0":                                    Mix{},
		"workload.mix[1]: must not be a closed loop":                                        Mix{good, ClosedLoop{Concurrency: 1, PromptTokens: 1, OutputTokens: 1}},
		"workload.mix[0].custom.interarrival_cv: must be above 0 and at most 100":           Mix{Custom{Rate: 1}},
	} {
		if _, err := w.open(fig, rand.New(rand.NewPCG(1, 2))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
