package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"net/http"
	"strings"
	"unicode"
)

// wantsText reports whether a client asks for plain text and not for JSON.
func wantsText(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "text/plain") && !strings.Contains(accept, "application/json")
}

// sayVerdict writes one line for each fleet, for a terminal.
func sayVerdict(w http.ResponseWriter, fleets []fleetView) {
	var b strings.Builder
	for _, f := range fleets {
		if len(fleets) > 1 {
			b.WriteString(printable(f.Name) + ": ")
		}
		b.WriteString(inWords(f.Verdict) + "\n")
	}
	if len(fleets) == 0 {
		b.WriteString("No engine seen yet. Engines of this host are found by their command line; name others in the endpoints of llm_engine.\n")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(b.String())) // the client went away
}

// inWords is a verdict in one line.
func inWords(v *verdictView) string {
	if v == nil {
		return "No verdict."
	}
	words := []string{v.Title}
	for _, part := range []string{v.Detail, v.Direction} {
		if part != "" {
			words = append(words, part)
		}
	}
	for _, also := range v.Also {
		words = append(words, "Also: "+also)
	}
	trust := string(v.Standing)
	if v.ConfidenceWord != "" {
		trust = "confidence " + v.ConfidenceWord
		if v.Standing == standingPreliminary {
			trust += ", preliminary"
		}
	}
	return printable(strings.Join(words, " ")) + " [" + trust + "]"
}

// printable replaces control characters: a name must not drive the terminal that shows it.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}
