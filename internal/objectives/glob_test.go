package objectives

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGlobFitsWhatTheExpressionFits holds it against regular expressions, over few letters so that much fits.
func TestGlobFitsWhatTheExpressionFits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func(letters []string, most int) string {
		var s strings.Builder
		for range random.IntN(most) {
			s.WriteString(letters[random.IntN(len(letters))])
		}
		return s.String()
	}
	fitted := 0
	for range 50_000 {
		pattern, given := text([]string{"a", "b", "ü", ".", "*", "?"}, 7), text([]string{"a", "b", "ü", ".", "\n"}, 9)
		want := pattern == ""
		if !want {
			e := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
			want = regexp.MustCompile("(?s)^" + e + "$").MatchString(given)
		}
		require.Equal(t, want, Glob(pattern, given), "%q and %q", pattern, given)
		if want {
			fitted++
		}
	}
	require.Greater(t, fitted, 1000)
}

func BenchmarkGlob(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Glob("*Llama-3.?-70B*", "meta-llama/Llama-3.1-70B-Instruct")
	}
}
