// Command vocabulary prints docs/vocabulary.md from the table in internal/signal.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

func main() {
	if err := write(os.Stdout, signal.All()); err != nil {
		fmt.Fprintln(os.Stderr, "vocabulary:", err)
		os.Exit(1)
	}
}

func write(out io.Writer, metrics []signal.Metric) error {
	var b strings.Builder
	b.WriteString("# Vocabulary\n\n" +
		"Every metric that the distribution's own components emit. Generated from `internal/signal` by `make generate`.\n" +
		"Units are UCUM. A *sum* is cumulative and monotonic, an *updowncounter* is a sum that may fall.\n")
	component := ""
	for _, m := range metrics {
		if m.Component != component {
			component = m.Component
			fmt.Fprintf(&b, "\n## `%s`\n\n| metric | instrument, unit | attributes | meaning |\n|---|---|---|---|\n", component)
		}
		attributes := "`" + strings.Join(m.Attributes, "`, `") + "`"
		if len(m.Attributes) == 0 {
			attributes = ""
		}
		meaning := strings.ReplaceAll(m.Description, "|", "\\|")
		fmt.Fprintf(&b, "| `%s` | %s, %s | %s | %s |\n", m.Name, m.Instrument, m.Unit, attributes, meaning)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
