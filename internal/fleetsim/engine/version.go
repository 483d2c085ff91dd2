package engine

import (
	"fmt"
	"strconv"
	"strings"
)

// version is a release, by its first three numbers.
type version [3]int

// parseVersion reads "0.9.2"; a number may be missing from the end, and what follows the digits of a number ("0.6.4.post1",
// "1.3.0rc27") does not count.
func parseVersion(text string) (version, error) {
	var v version
	for i, part := range strings.SplitN(text, ".", 4) {
		if i == len(v) {
			break
		}
		digits := len(part) - len(strings.TrimLeft(part, "0123456789"))
		n, err := strconv.Atoi(part[:digits])
		if err != nil {
			return v, fmt.Errorf("version: got %q, want three numbers such as 0.32.0", text)
		}
		v[i] = n
	}
	return v, nil
}

// from reports whether the release is the given one or a later one.
func (v version) from(numbers ...int) bool {
	for i, n := range numbers {
		if v[i] != n {
			return v[i] > n
		}
	}
	return true
}

// spoken reads the version of an engine and checks that its page is known: from the first release up to but without the end.
func spoken(text, current string, first, end version) (version, error) {
	if text == "" {
		text = current
	}
	v, err := parseVersion(text)
	if err == nil && (!v.from(first[:]...) || v.from(end[:]...)) {
		err = fmt.Errorf("version: got %q, known are the releases from %d.%d and before %d.%d", text, first[0], first[1], end[0], end[1])
	}
	return v, err
}
