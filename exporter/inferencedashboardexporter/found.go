package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	// settled is how long after the start the first word is said: by then discovery has looked twice and each engine was asked.
	settled = 30 * time.Second
	// foundEvery is the least time between two words, however often the picture changes.
	foundEvery = time.Minute
	// lookEvery is how often it is looked at, in between.
	lookEvery = 5 * time.Second
	// maxMissing bounds the missing sources that are named.
	maxMissing = 20
)

// found says in the log what is observed and what is missing: once after the start, and when that has changed.
type found struct {
	logger *zap.Logger
	next   time.Time // not before
	last   string
}

func newFound(logger *zap.Logger, now time.Time) *found {
	return &found{logger: logger, next: now.Add(settled)}
}

func (f *found) tell(s *snapshot, r *register, now time.Time) {
	if now.Before(f.next) {
		return
	}
	engines := enginesOf(s)
	kinds, missing := r.census(now)
	what := fmt.Sprint(engines, kinds, missing)
	f.next = now.Add(lookEvery)
	if what == f.last {
		return
	}
	f.last, f.next = what, now.Add(foundEvery)
	f.logger.Info("What is observed", zap.Strings("engines", engines), zap.Int("gpus", kinds[kindGPU]), zap.Int("nixl_agents", kinds[kindAgent]),
		zap.Strings("missing", missing))
}

// enginesOf names the engines with how many workers each has, "2 vllm".
func enginesOf(s *snapshot) []string {
	count := map[string]int{}
	for _, w := range s.Workers {
		name := "unknown"
		if w.Identity != nil && w.Identity.Engine != "" {
			name = w.Identity.Engine
		}
		count[name]++
	}
	names := []string{}
	for _, name := range slices.Sorted(maps.Keys(count)) {
		names = append(names, fmt.Sprintf("%d %s", count[name], name))
	}
	return names
}

// census counts the subjects by kind and names each source that is missing somewhere, with what would bring it: its attributes as the
// vocabulary orders them.
func (r *register) census(now time.Time) (kinds map[subjectKind]int, missing []string) {
	kinds = map[subjectKind]int{}
	sources := map[string]bool{}
	places := len(r.table[signal.SourceMissing].of)
	for _, s := range r.all() {
		kinds[s.key.kind]++
		s.mu.Lock()
		for key, f := range s.figures {
			if key.metric == signal.SourceMissing && f.last.value > 0 && !f.heard.stale(now) {
				sources[strings.Join(key.of[:places], ": ")] = true
			}
		}
		s.mu.Unlock()
	}
	return kinds, named(sources)
}

// named returns names in order, the first of many.
func named(sources map[string]bool) []string {
	names := slices.Sorted(maps.Keys(sources))
	if more := len(names) - maxMissing; more > 0 {
		names = append(names[:maxMissing], fmt.Sprintf("and %d more", more))
	}
	if names == nil {
		names = []string{}
	}
	return names
}
