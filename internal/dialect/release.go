package dialect // import "github.com/otelcol-inference/otelcol-inference/internal/dialect"

import (
	"fmt"
	"strconv"
	"strings"
)

// release is an engine's version by its first three numbers.
type release [3]int

// parseRelease reads "0.9.2", "1.3.0rc27" or "v0.6.4.post1". ok is false for what does not begin with a number.
func parseRelease(text string) (r release, ok bool) {
	for i, part := range strings.SplitN(strings.TrimPrefix(text, "v"), ".", 4) {
		if i == len(r) {
			break
		}
		digits := len(part) - len(strings.TrimLeft(part, "0123456789"))
		n, err := strconv.Atoi(part[:digits])
		if err != nil {
			return r, i > 0
		}
		r[i] = n
		ok = true
	}
	return r, ok
}

// before reports whether r is older than other.
func (r release) before(other release) bool {
	for i := range r {
		if r[i] != other[i] {
			return r[i] < other[i]
		}
	}
	return false
}

// String writes the numbers; a last 0 is left out.
func (r release) String() string {
	if r[2] == 0 {
		return fmt.Sprintf("%d.%d", r[0], r[1])
	}
	return fmt.Sprintf("%d.%d.%d", r[0], r[1], r[2])
}
