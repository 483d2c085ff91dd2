package fleetsim

import (
	"fmt"
	"sort"
)

// quantileTable is an inverse distribution function given by points and interpolated linearly.
type quantileTable [][2]float64

// check requires probabilities that rise from 0 to 1 and values of at least 1 that do not fall.
func (q quantileTable) check(key string) error {
	if len(q) < 2 || q[0][0] != 0 || q[len(q)-1][0] != 1 {
		return fmt.Errorf("%s: needs at least two points, from probability 0 to 1", key)
	}
	for i, p := range q {
		if p[1] < 1 || (i > 0 && (p[0] <= q[i-1][0] || p[1] < q[i-1][1])) {
			return fmt.Errorf("%s: point %d is [%g, %g]; probabilities must rise, values be at least 1 and not fall", key, i, p[0], p[1])
		}
	}
	return nil
}

// at returns the value at probability u in [0, 1).
func (q quantileTable) at(u float64) float64 {
	i := sort.Search(len(q)-1, func(i int) bool { return q[i+1][0] > u })
	if i >= len(q)-1 {
		return q[len(q)-1][1]
	}
	f := (u - q[i][0]) / (q[i+1][0] - q[i][0])
	return q[i][1] + f*(q[i+1][1]-q[i][1])
}
