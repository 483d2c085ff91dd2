package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// startBar bounds the time to the first word of the demo.
const startBar = 10 * time.Second

// started are the moments of one start, after the start of the demo: zero where they did not come.
type started struct {
	page, first, high time.Duration
	last              word // the first of high confidence, or what there was in the end
}

// What the demo tells of itself.
const (
	fromCounters = "counters" // its pages only, as `make demo` has it
	fromPasses   = "passes"   // forward passes as well, and objectives
	fromFacts    = "facts"    // its pages; what its engines run on is known, and objectives
)

// objectivesOfDemo are those of its scenario. Without them a verdict rests on implied ones, which never claims HIGH.
const objectivesOfDemo = "processors.phase_attribution.objectives=[{ttft: {quantile: 0.9, max: 1s}, itl: {quantile: 0.9, max: 60ms}}]"

// deploymentsOfDemo are what fleetsim's workers run on unless a scenario says otherwise.
const deploymentsOfDemo = "processors.phase_attribution.deployments=[{gpu: h200, tensor_parallel: 4}]"

// runStart starts the demo several times at two intervals, with each of the sources, one after the other until each has its first word, and
// then waits for the first of high confidence of all of them at once, which takes minutes. The bar is on the first verdict at 1 s.
func runStart(o options, binary string) (met bool, err error) {
	var all []*demo
	defer func() {
		for _, d := range all {
			err = errors.Join(err, d.close())
		}
	}()
	var waiting sync.WaitGroup
	met = true
	for _, interval := range []time.Duration{time.Second, 5 * time.Second} {
		for n := range o.rounds * len(o.sources) {
			d := &demo{interval: interval, source: o.sources[n%len(o.sources)]}
			all = append(all, d)
			if err := d.start(o, binary); err != nil {
				return false, err
			}
			d.watch(readyWithin, func() bool { return d.first > 0 })
			met = met && (interval != time.Second || d.first > 0 && d.first < startBar)
			waiting.Go(func() { d.watch(o.wait, func() bool { return d.high > 0 }) })
		}
	}
	waiting.Wait()
	fmt.Println("| interval | source | page, s | first verdict, s | first HIGH, s | its verdict, or the last | confidence |\n|---|---|---|---|---|---|---|")
	for _, d := range all {
		confidence := "none"
		if d.last.Confidence != nil {
			confidence = fmt.Sprintf("%.2f", *d.last.Confidence)
		}
		fmt.Printf("| %v | %s | %s | %s | %s | %s | %s |\n", d.interval, d.source, moment(d.page), moment(d.first), moment(d.high), d.last.Title, confidence)
	}
	return met, nil
}

// sourcesOf reads what the demo tells, with commas between.
func sourcesOf(text string) ([]string, error) {
	all := strings.Split(text, ",")
	for _, source := range all {
		if !slices.Contains([]string{fromCounters, fromPasses, fromFacts}, source) {
			return nil, fmt.Errorf("must be counters, passes or facts, got %q", source)
		}
	}
	return all, nil
}

// moment writes when something came.
func moment(d time.Duration) string {
	if d == 0 {
		return "not seen"
	}
	return fmt.Sprintf("%.1f", d.Seconds())
}

// demo is what `make demo` starts, on free ports.
type demo struct {
	interval   time.Duration
	source     string
	began      time.Time
	dir, url   string
	fleet, own *program
	started
}

func (d *demo) start(o options, binary string) (err error) {
	if d.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	at, err := newSite(d.dir, nil)
	if err != nil {
		return err
	}
	d.url = "http://" + at.own
	file := filepath.Join(d.dir, "endpoints")
	d.began = time.Now()
	if d.fleet, err = start(subject{silent: true, command: func(site) (*exec.Cmd, error) {
		arguments := []string{"run", "aggregated-mixed", "-listen", "127.0.0.1:0", "-control", "127.0.0.1:0", "-endpoints", file}
		if d.source == fromPasses {
			arguments = append(arguments, "-set", "protocols.forward_passes.port=0")
		}
		return exec.Command(o.fleetsim, arguments...), nil
	}}, at); err != nil {
		return err
	}
	var endpoints []byte
	if !until(d.began, readyWithin, func() bool {
		endpoints, err = os.ReadFile(file)
		return err == nil && len(endpoints) > 0
	}) {
		return fmt.Errorf("the fleet does not listen within %v: %w", readyWithin, err)
	}
	d.own, err = start(subject{command: func(site) (*exec.Cmd, error) {
		arguments := []string{"--config", shippedConfig(binary, "demo.yaml")}
		for _, key := range []string{"receivers.llm_engine.collection_interval", "processors.phase_attribution.window",
			"processors.kv_fragmentation.window", "processors.disaggregation.window", "connectors.advice.window"} {
			arguments = append(arguments, "--set", key+"="+d.interval.String())
		}
		if d.source != fromCounters {
			arguments = append(arguments, "--set", objectivesOfDemo)
		}
		if d.source == fromFacts {
			arguments = append(arguments, "--set", deploymentsOfDemo)
		}
		cmd := exec.Command(binary, arguments...)
		cmd.Env = append(os.Environ(), "DEMO_PAGE="+at.own, "DEMO_ENDPOINTS="+strings.TrimSpace(string(endpoints)))
		return cmd, nil
	}}, at)
	return err
}

// watch asks for the verdict until done, or until so long after the start.
func (d *demo) watch(within time.Duration, done func() bool) {
	until(d.began, within, func() bool {
		v, ok := verdictOf(d.url)
		now := time.Since(d.began)
		if ok && d.page == 0 {
			d.page = now
		}
		if v.Confidence != nil && d.first == 0 {
			d.first = now
		}
		if ok && d.high == 0 {
			d.last = v
		}
		if v.Word == "HIGH" && d.high == 0 {
			d.high = now
		}
		return done()
	})
}

func (d *demo) close() (err error) {
	for _, p := range []*program{d.own, d.fleet} {
		if p != nil {
			err = errors.Join(err, p.stop())
		}
	}
	return errors.Join(err, os.RemoveAll(d.dir))
}

// until asks every 50 ms, and says whether it was done in time.
func until(began time.Time, within time.Duration, done func() bool) bool {
	for !done() {
		if time.Since(began) > within {
			return false
		}
		time.Sleep(50 * time.Millisecond)
	}
	return true
}

// word is the verdict of the only fleet.
type word struct {
	Title      string   `json:"title"`
	Confidence *float64 `json:"confidence"`
	Word       string   `json:"confidence_word"`
}

func verdictOf(url string) (w word, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/verdict", nil)
	if err != nil {
		return w, false
	}
	request.Header.Set("Accept", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return w, false
	}
	defer response.Body.Close()
	var all struct {
		Fleets []struct{ Verdict word }
	}
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&all) != nil {
		return w, false
	}
	if len(all.Fleets) == 1 {
		w = all.Fleets[0].Verdict
	}
	return w, true
}
