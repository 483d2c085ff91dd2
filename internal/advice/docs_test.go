package advice

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEveryRuleIsDescribed: docs/advice.md has a section for each rule and for none besides, which says all that there is to say, and that an effect is
// not verified where nobody measures it.
func TestEveryRuleIsDescribed(t *testing.T) {
	doc, err := os.ReadFile("../../docs/advice.md")
	require.NoError(t, err)
	sections := map[string]string{}
	heading := regexp.MustCompile("(?m)^#### `([a-z-]+)` \\((worker|fleet|agent)\\)\n")
	for _, at := range heading.FindAllSubmatchIndex(doc, -1) {
		text, _, _ := strings.Cut(string(doc[at[1]:]), "\n#")
		sections[string(doc[at[2]:at[3]])+" "+string(doc[at[4]:at[5]])] = text
	}
	label := regexp.MustCompile(`(?m)^- \*\*([A-Za-z ]+)\*\*:? (.+)$`)
	for _, rule := range Rules() {
		name := rule.ID + " " + string(rule.Subject)
		text, ok := sections[name]
		if !assert.True(t, ok, "a section #### `%s` (%s)", rule.ID, rule.Subject) {
			continue
		}
		delete(sections, name)
		var labels []string
		says := map[string]string{}
		for _, m := range label.FindAllStringSubmatch(text, -1) {
			labels = append(labels, m[1])
			says[m[1]] = m[2]
		}
		assert.Equal(t, []string{"Raised when", "Evidence", "Remedy", "Predicted", "Verified"}, labels, name)
		verified := !strings.HasPrefix(says["Verified"], "not")
		if verified {
			assert.NotNil(t, rule.Measure, "%s: nobody measures the effect", name)
			assert.Contains(t, says["Verified"], ": ", "%s: when, and what is measured", name)
		}
		for _, metric := range regexp.MustCompile("`((?:llm|nixl|gen_ai)[a-z0-9_.]+)`").FindAllStringSubmatch(text, -1) {
			assert.True(t, slices.Contains(rule.Inputs, metric[1]), "%s: %s is no input of the rule", name, metric[1])
		}
	}
	assert.Empty(t, sections, "sections of rules that are no more")
}
