package main

import (
	"fmt"
	"math"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

const (
	stormScrapes  = 3 // to find a storm
	stormClears   = 2 * time.Minute
	thrashBar     = 0.05
	trueThrash    = 0.2 // from which on it is a storm by the ledger
	trueCalm      = 0.1
	ledgerWindows = 3 // over which the ledger's thrash is taken
)

// evictionStorms is A11: storms are found and their end too, and steady traffic raises none.
func evictionStorms(o options, report func(result)) error {
	seeds := uint64(5)
	if o.quick {
		seeds = 1
	}
	for seed := range seeds {
		if err := stormLines(stormScenario(seed+1), report); err != nil {
			return err
		}
	}
	if err := stormVerdict(report); err != nil {
		return err
	}
	return calmLines(o, report)
}

// stormScenario is conversation traffic, and for five minutes out of twenty one that the cache cannot hold.
func stormScenario(seed uint64) kvScenario {
	s := kvScenario{
		name: "bursts", cfg: fleetsim.DefaultConfig(), duration: 38 * time.Minute, interval: 5 * time.Second, events: true, passes: true,
	}
	s.cfg.Seed, s.cfg.KVLedger = seed, true
	s.cfg.Pools[0].KVBlocks, s.cfg.Pools[0].MaxModelTokens = 12_000, 32_768
	s.cfg.Workload = fleetsim.Mix{shared(0.4), fleetsim.Bursts{Every: 20 * time.Minute, For: 5 * time.Minute, Of: fleetsim.Custom{
		Rate: 2, CV: 1, Prompt: fleetsim.Uniform(4300, 5200), Output: fleetsim.Uniform(40, 200),
		SharedPrefixShare: 0.95, SharedPrefixes: 60, SharedPrefixTokens: 4000,
	}}}
	return s
}

// ledgerThrash follows the true thrash of a worker from scrape to scrape, over as many windows as the detector takes.
type ledgerThrash struct{ stored, regret []int64 }

func (l *ledgerThrash) look(t fleetsim.Truth) float64 {
	l.stored, l.regret = append(l.stored, t.KV.Stored), append(l.regret, t.KV.Regret)
	from := max(0, len(l.stored)-1-ledgerWindows)
	stored := l.stored[len(l.stored)-1] - l.stored[from]
	if stored <= 0 {
		return 0
	}
	return float64(l.regret[len(l.regret)-1]-l.regret[from]) / float64(stored) / 16
}

func stormLines(s kvScenario, report func(result)) error {
	var ledger ledgerThrash
	var fleet *fleetsim.Fleet
	s.tick = func(_ time.Duration, f *fleetsim.Fleet) error { fleet = f; return nil }
	storms, found := 0, 0
	var onset, calm, slowestFind, slowestClear time.Duration
	inStorm, detected := false, false
	out, err := kvReplay(s, func(_ int, now time.Duration, said readings) {
		thrash, told := ledger.look(fleet.WorkerTruth(0)), said[key(signal.KVStorm)] == 1
		switch {
		case !inStorm && thrash > trueThrash && !told:
			inStorm, detected, onset, calm = true, false, now, 0
			storms++
		case !inStorm && told && calm == 0: // found no later than by the ledger
			inStorm, detected, onset = true, true, now
			storms++
			found++
		}
		if inStorm && told && !detected {
			detected = true
			found++
			slowestFind = max(slowestFind, now-onset)
		}
		switch {
		case !inStorm:
		case thrash >= trueCalm:
			calm = 0
		case calm == 0:
			calm = now
		}
		if inStorm && detected && !told {
			inStorm = false
			slowestClear = max(slowestClear, now-calm)
			calm = 0
		}
	})
	if err != nil {
		return err
	}
	w := out.workers[0]
	a, b := w.truthFrom.KV, w.truthTo.KV
	truth := float64(b.Regret-a.Regret) / float64(b.Stored-a.Stored) / 16
	said := w.rise(signal.KVWasteTokens, signal.WasteThrash) / float64(b.Stored-a.Stored) / 16
	scrapes := math.Round(slowestFind.Seconds() / s.interval.Seconds())
	report(result{
		name: "A11/found/" + s.String() + "/synthetic", value: fmt.Sprintf("%d/%d(after:%.0fscrapes)", found, storms, scrapes),
		bar: fmt.Sprintf("%dscrapes", stormScrapes), pass: storms >= 2 && found == storms && scrapes <= stormScrapes,
	})
	report(result{
		name: "A11/clear/" + s.String() + "/synthetic", value: slowestClear.Round(time.Second).String(),
		bar: stormClears.String(), pass: !inStorm && slowestClear > 0 && slowestClear <= stormClears,
	})
	report(result{
		name: "A11/thrash/" + s.String() + "/synthetic", value: fmt.Sprintf("%+.3f(%.3f/%.3f)", said-truth, said, truth),
		bar: fmt.Sprint(thrashBar), pass: math.Abs(said-truth) <= thrashBar,
	})
	return nil
}

// calmLines counts false alarms in a day of conversation traffic whose load goes up and down by half.
func calmLines(o options, report func(result)) error {
	duration := 24 * time.Hour
	if o.quick {
		duration = time.Hour
	}
	s := kvScenario{
		name: "calm", cfg: fleetsim.DefaultConfig(), duration: duration, interval: 5 * time.Second, events: true,
	}
	s.cfg.KVLedger = true
	s.cfg.Pools[0].KVBlocks = 12_000
	s.cfg.Workload = fleetsim.Mix{shared(0.5), fleetsim.Bursts{Every: duration / 2, For: duration / 4, Of: shared(1)}}
	alarms, before := 0, false
	out, err := kvReplay(s, func(_ int, _ time.Duration, said readings) {
		now := said[key(signal.KVStorm)] == 1
		if now && !before {
			alarms++
		}
		before = now
	})
	if err != nil {
		return err
	}
	evictions := out.workers[0].truthTo.KV.Evictions
	report(result{
		name: fmt.Sprintf("A11/false-alarms/%v/%v/synthetic", s, duration), value: fmt.Sprintf("%d(of:%d_evictions)", alarms, evictions),
		bar: "0", pass: alarms == 0 && evictions > 0,
	})
	return nil
}
