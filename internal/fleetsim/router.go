package fleetsim

import "fmt"

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
