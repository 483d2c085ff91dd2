package main

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// committedTruths are runs of earlier executions, of one physics of the simulator. -truths renews them.
//
//go:embed testdata/fleet_truths.json
var committedTruths []byte

// fleetTruth is what came of a simulated fleet over a run.
type fleetTruth struct {
	Goodput float64 `json:"goodput"` // requests/s
	Arrived float64 `json:"arrived"` // requests/s
	TTFT90  float64 `json:"ttft90"`  // s
}

// truthFile is how runs are kept. Those of another physics are worth nothing.
type truthFile struct {
	Physics string                `json:"physics"`
	Runs    map[string]fleetTruth `json:"runs"`
}

// cachedTruths remembers runs by a hash of everything that they depend on: checks compare the same fleets, and a search for the best one
// takes hours.
type cachedTruths struct {
	mu    sync.Mutex
	path  string // where to keep them, "" for nowhere
	known truthFile
}

// newCachedTruths begins with the committed runs and those at path, where they are of the present physics. path may be "".
func newCachedTruths(path string) (*cachedTruths, error) {
	physics, err := physicsOf()
	if err != nil {
		return nil, err
	}
	c := &cachedTruths{path: path, known: truthFile{physics, map[string]fleetTruth{}}}
	if err := c.take(committedTruths); err != nil {
		return nil, fmt.Errorf("committed truths: %w", err)
	}
	if path == "" {
		return c, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	return c, c.take(text)
}

func (c *cachedTruths) take(text []byte) error {
	var f truthFile
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	if f.Physics == c.known.Physics {
		for k, v := range f.Runs {
			c.known.Runs[k] = v
		}
	}
	return nil
}

// physicsOf is a hash of what two short runs of the simulator come to, one fleet of each kind: its constants, its scheduler and its links are
// all in that, its comments are not.
func physicsOf() (string, error) {
	s := splitScenario{groups: 3, model: servedModels()[0], traffic: trafficShapes()[0], goal: fleetsim.Objectives{TTFT: time.Second, ITL: 30 * time.Millisecond}, load: 1, seed: 1}
	sum := sha256.New()
	for _, prefill := range []int{0, 1} {
		t, err := simulate(s.config(prefill, splitBudget), time.Minute)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%+v", t)
	}
	return short(sum.Sum(nil)), nil
}

func short(sum []byte) string { return hex.EncodeToString(sum[:8]) }

// truthKey is the hash of a run. Settings that came later and are not used are left out, so that runs from before stay known.
func truthKey(cfg fleetsim.Config, duration time.Duration) string {
	text := strings.ReplaceAll(fmt.Sprintf("%v %+v", duration, cfg), " SlidingWindow:0", "")
	sum := sha256.Sum256([]byte(text))
	return short(sum[:])
}

// simulate runs a fleet from its first request on.
func simulate(cfg fleetsim.Config, duration time.Duration) (fleetTruth, error) {
	return simulateFrom(cfg, 0, duration)
}

// simulateFrom runs a fleet for that long after a start that does not count. The 90th percentile has the start in it.
func simulateFrom(cfg fleetsim.Config, start, duration time.Duration) (fleetTruth, error) {
	fleet, err := fleetsim.New(cfg)
	if err != nil {
		return fleetTruth{}, err
	}
	if err := fleet.Advance(start); err != nil {
		return fleetTruth{}, errors.Join(err, fleet.Close())
	}
	before := fleet.Truth()
	if err := fleet.Advance(start + duration); err != nil {
		return fleetTruth{}, errors.Join(err, fleet.Close())
	}
	t, rate := fleet.Truth(), func(n int64) float64 { return float64(n) / duration.Seconds() }
	return fleetTruth{
		Goodput: rate(t.Goodput.Both - before.Goodput.Both), Arrived: rate(t.ArrivedRequests - before.ArrivedRequests), TTFT90: t.TTFT.P90,
	}, fleet.Close()
}

func (c *cachedTruths) run(cfg fleetsim.Config, duration time.Duration) (fleetTruth, error) {
	return c.remember(truthKey(cfg, duration), func() (fleetTruth, error) { return simulate(cfg, duration) })
}

// fillsFor is how long a fleet is given to fill up from empty where what it serves then is asked for: answers that are under way at the end
// are in no figure, and in a fleet that has run before they are made up for by those that were under way at the beginning.
const fillsFor = time.Minute

// running is what came of a fleet that had filled up.
func (c *cachedTruths) running(cfg fleetsim.Config, duration time.Duration) (fleetTruth, error) {
	return c.remember("filled-"+truthKey(cfg, duration), func() (fleetTruth, error) { return simulateFrom(cfg, fillsFor, duration) })
}

func (c *cachedTruths) remember(id string, simulate func() (fleetTruth, error)) (fleetTruth, error) {
	c.mu.Lock()
	known, ok := c.known.Runs[id]
	c.mu.Unlock()
	if ok {
		return known, nil
	}
	out, err := simulate()
	if err != nil {
		return fleetTruth{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.Runs[id] = out
	return out, c.keep()
}

// keep writes the runs, after every one: a search that is interrupted goes on where it was.
func (c *cachedTruths) keep() error {
	if c.path == "" {
		return nil
	}
	text, err := json.MarshalIndent(c.known, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.path, append(text, '\n'), 0o600)
}

func (c *cachedTruths) goodput(cfg fleetsim.Config, duration time.Duration) (float64, error) {
	t, err := c.run(cfg, duration)
	return t.Goodput, err
}
