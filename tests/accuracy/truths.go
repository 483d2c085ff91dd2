package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

// truth of a simulated fleet over a run.
type fleetTruth struct {
	Goodput float64 // requests/s
	Arrived float64 // requests/s
	TTFT90  float64 // s
}

// cachedTruths remembers runs within one execution, by a hash of everything that they depend on: checks compare the same fleets.
type cachedTruths struct {
	mu   sync.Mutex
	runs map[string]fleetTruth
}

func newCachedTruths() *cachedTruths { return &cachedTruths{runs: map[string]fleetTruth{}} }

func (c *cachedTruths) run(cfg fleetsim.Config, duration time.Duration) (fleetTruth, error) {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%v %+v", duration, cfg)))
	id := hex.EncodeToString(sum[:])
	c.mu.Lock()
	known, ok := c.runs[id]
	c.mu.Unlock()
	if ok {
		return known, nil
	}
	fleet, err := fleetsim.New(cfg)
	if err != nil {
		return fleetTruth{}, err
	}
	if err := fleet.Advance(duration); err != nil {
		return fleetTruth{}, err
	}
	t := fleet.Truth()
	out := fleetTruth{
		Goodput: float64(t.Goodput.Both) / duration.Seconds(), Arrived: float64(t.ArrivedRequests) / duration.Seconds(), TTFT90: t.TTFT.P90,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs[id] = out
	return out, fleet.Close()
}

func (c *cachedTruths) goodput(cfg fleetsim.Config, duration time.Duration) (float64, error) {
	t, err := c.run(cfg, duration)
	return t.Goodput, err
}
