package fleetsim

import (
	"fmt"
	"slices"
)

// Router decides which worker gets a request.
type Router string

// Routers. Workers that are down are left out.
const (
	RoundRobin  Router = "round_robin"
	LeastLoaded Router = "least_loaded" // fewest unfinished requests; the lowest index among equals
	PrefixAware Router = "prefix_aware" // most of the prompt already cached, weighed against the KV in use
	Random      Router = "random"
)

func (r Router) validate(key string) error {
	switch r {
	case RoundRobin, LeastLoaded, PrefixAware, Random:
		return nil
	}
	return fmt.Errorf("%s: must be %s, %s, %s or %s, is %q", key, RoundRobin, LeastLoaded, PrefixAware, Random, r)
}

// route picks one of the workers that are up; nil if none is. turn counts the requests a round robin has dealt out.
func (f *Fleet) route(by Router, workers []*worker, turn *uint64, r *request) *worker {
	if f.down > 0 {
		workers = slices.DeleteFunc(slices.Clone(workers), func(w *worker) bool { return w.down })
	}
	if len(workers) == 0 {
		return nil
	}
	switch by {
	case RoundRobin:
		*turn++
		return workers[(*turn-1)%uint64(len(workers))]
	case Random:
		return workers[f.random.IntN(len(workers))]
	case LeastLoaded:
		return cheapest(workers, func(w *worker) int { return w.load() })
	}
	return cheapest(workers, func(w *worker) int { return w.prefixCost(r) })
}

// cheapest is the first of the workers with the lowest cost.
func cheapest(workers []*worker, cost func(*worker) int) *worker {
	best, least := workers[0], cost(workers[0])
	for _, w := range workers[1:] {
		if c := cost(w); c < least {
			best, least = w, c
		}
	}
	return best
}

// prefixCost weighs what a worker would have to compute of a prompt against what it is busy with, both in tokens, as Dynamo's KV router
// does: prompt tokens that are not cached, plus tokens whose KV requests hold, plus as many prompts again as wait. The router sees
// the cache under hashes of seed 0: a worker with another seed has nothing for it.
func (w *worker) prefixCost(r *request) int {
	p, size := w.sched.pool, w.sched.blockSize
	cached := 0
	switch {
	case w.hashSeed != 0:
	case w.sched.window > 0:
		cached = len(w.sched.cachedPrefix(r))
	case p.caching:
		for i := range (r.PromptTokens - 1) / size {
			if p.lookup(r.blockHash(i, size)) == none {
				break
			}
			cached++
		}
	}
	waiting := w.load() - len(w.sched.running)
	return r.PromptTokens*(1+waiting) - cached*size + (p.size-p.free)*size
}
