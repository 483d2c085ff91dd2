package chaos

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// use is what the collector takes after a fault.
type use struct {
	after      time.Duration // since the start
	resident   int64         // bytes
	live       float64       // bytes of the heap that a collection of garbage leaves
	goroutines float64
}

func (s *stage) use(t *testing.T) use {
	t.Helper()
	u := use{after: time.Since(s.began)}
	u.live = s.profiled(t, "heap?gc=1&debug=1", `# HeapAlloc = (\d+)`)
	u.goroutines = s.profiled(t, "goroutine?debug=1", `goroutine profile: total (\d+)`)
	u.resident = s.collector.Usage(t).Resident
	s.keepProfile(t, u.after)
	return u
}

// keepProfile writes what lives on the heap to the directory PROFILES, if there is one, for `go tool pprof -diff_base`.
func (s *stage) keepProfile(t *testing.T, after time.Duration) {
	t.Helper()
	dir := os.Getenv("PROFILES")
	if dir == "" {
		return
	}
	file := filepath.Join(dir, fmt.Sprintf("heap-%04.0fs.pb.gz", after.Seconds()))
	require.NoError(t, os.WriteFile(file, []byte(s.fetch(t, "heap")), 0o600))
}

// fetch gets a profile, for which the collector may have to collect garbage first: on a machine that has much else to do, that takes its time.
func (s *stage) fetch(t *testing.T, profile string) string {
	t.Helper()
	client := http.Client{Timeout: 3 * rig.Patience}
	response, err := client.Get(s.profile + profile)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, string(text))
	return string(text)
}

// profiled is one number of a profile's text.
func (s *stage) profiled(t *testing.T, profile, number string) float64 {
	t.Helper()
	text := s.fetch(t, profile)
	found := regexp.MustCompile(number).FindStringSubmatch(text)
	require.NotNil(t, found, "%s has no %s", profile, number)
	value, err := strconv.ParseFloat(found[1], 64)
	require.NoError(t, err)
	return value
}

// flat compares the second quarter of the run with the last: the first fills caches. What is resident depends on when garbage is collected,
// which a busy machine puts off; what lives does not.
func flat(t *testing.T, took []use) {
	t.Helper()
	quarter := len(took) / 4
	if quarter < 4 {
		return // of a run with few faults, in which caches still fill
	}
	for _, of := range []struct {
		name   string
		value  func(use) float64
		growth float64
	}{
		{"live heap, MiB", func(u use) float64 { return u.live / (1 << 20) }, 1.2},
		{"resident, MiB", func(u use) float64 { return float64(u.resident) / (1 << 20) }, 1.5},
		{"goroutines", func(u use) float64 { return u.goroutines }, 1.2},
	} {
		early, late := middle(took[quarter:2*quarter], of.value), middle(took[3*quarter:], of.value)
		t.Logf("%-16s %8.0f in the second quarter, %8.0f in the last", of.name, early, late)
		assert.Less(t, late, of.growth*early, of.name)
	}
}

// middle is the median.
func middle(part []use, of func(use) float64) float64 {
	values := make([]float64, 0, len(part))
	for _, u := range part {
		values = append(values, of(u))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
