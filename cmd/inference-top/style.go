package main

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// style colours text, or leaves it plain. Colours mean what they mean on the page: prefill violet, decode blue-green.
type style struct{ plain bool }

func (s style) sgr(code, text string) string {
	if s.plain || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string     { return s.sgr("1", text) }
func (s style) dim(text string) string      { return s.sgr("2", text) }
func (s style) critical(text string) string { return s.sgr("1;31", text) }
func (s style) warning(text string) string  { return s.sgr("33", text) }
func (s style) good(text string) string     { return s.sgr("32", text) }
func (s style) prefill(text string) string  { return s.sgr("38;5;98", text) }
func (s style) decode(text string) string   { return s.sgr("38;5;38", text) }

// severity colours by the word of an advice's severity.
func (s style) severity(word, text string) string {
	switch word {
	case "critical":
		return s.critical(text)
	case "warning":
		return s.warning(text)
	}
	return s.dim(text)
}

// clean replaces what could drive the terminal: names come from the network.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return '\uFFFD'
		}
		return r
	}, text)
}

// columns is how many columns a rune takes.
func columns(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r):
		return 0
	case width.LookupRune(r).Kind() == width.EastAsianWide, width.LookupRune(r).Kind() == width.EastAsianFullwidth:
		return 2
	}
	return 1
}

func wide(text string) (n int) {
	for _, r := range text {
		n += columns(r)
	}
	return n
}

// cut shortens clean text to so many columns.
func cut(text string, most int) string {
	text = clean(text)
	if wide(text) <= most {
		return text
	}
	n := 0
	for i, r := range text {
		if n+columns(r) > most-1 {
			return text[:i] + "…"
		}
		n += columns(r)
	}
	return text
}

// pad fills clean text up to so many columns, or cuts it.
func pad(text string, to int) string {
	text = cut(text, to)
	return text + strings.Repeat(" ", to-wide(text))
}

// padLeft does the same at the left, for numbers.
func padLeft(text string, to int) string {
	text = cut(text, to)
	return strings.Repeat(" ", to-wide(text)) + text
}

// wrap breaks text at spaces into lines of at most so many columns.
func wrap(text string, most int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(clean(text)) {
		word = cut(word, most)
		switch {
		case line == "":
			line = word
		case wide(line)+1+wide(word) > most:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
