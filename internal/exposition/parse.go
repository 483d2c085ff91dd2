package exposition // import "github.com/otelcol-inference/otelcol-inference/internal/exposition"

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// maxBrokenLines is how many lines of a page may be broken before the page is no metrics page. Each costs a new parser.
const maxBrokenLines = 100

// maxErrorBytes bounds the parser's error texts of a page. They quote what was read since the line began, which is all of the page
// where a quote is left open.
const maxErrorBytes = 1 << 20

// maxSeriesBytes bounds one series. Real ones stay under 2 kB, lists of LoRA adapters apart.
const maxSeriesBytes = 8 << 10

// errMalformed is a page that is no metrics page.
var errMalformed = errors.New("not a metrics page")

// sink takes what a page holds.
type sink interface {
	// series is called for each sample. The bytes and the parser are valid during the call only.
	series(raw []byte, value float64, p textparse.Parser)
	declare(family []byte, declared string)
	help(text []byte)
	// end is called for # EOF.
	end()
}

// parse feeds a page to s. A line that cannot be parsed costs itself only: the parser starts again after it. It returns the
// number of such lines, and errMalformed when there were too many or nothing else. The byte after body's end is overwritten.
func parse(body []byte, openMetrics bool, s sink) (broken int, err error) {
	symbols := labels.NewSymbolTable()
	found, quoted := 0, 0
	for rest := body; len(rest) > 0; broken++ {
		if broken == maxBrokenLines || quoted > maxErrorBytes {
			return broken, fmt.Errorf("%w: %d broken lines before its end", errMalformed, broken)
		}
		var p textparse.Parser
		if openMetrics {
			p = textparse.NewOpenMetricsParser(rest, symbols)
		} else {
			p = textparse.NewPromParser(rest, symbols, false)
		}
		n, at, err := feed(p, rest, s)
		found += n
		if errors.Is(err, io.EOF) && openMetrics {
			s.end()
			break
		}
		if errors.Is(err, io.EOF) && len(bytes.TrimSpace(after(rest, at))) == 0 {
			break // otherwise a zero byte ended the text early
		}
		quoted += len(err.Error())
		rest = skipBroken(rest, at)
	}
	if found == 0 && broken > 0 {
		return broken, fmt.Errorf("%w: none of %d lines could be read", errMalformed, broken)
	}
	return broken, nil
}

// feed reads until the parser fails or ends. It returns how many series there were and an offset into the end of the last good line, or -1.
func feed(p textparse.Parser, body []byte, s sink) (found, at int, err error) {
	last := body[:0:0]
	for {
		entry, err := p.Next()
		if err != nil {
			// The parser does not tell where it stands, but the slices it returns share the body's array.
			// A label's value may hold line breaks, so it is the slice's end that counts.
			at = cap(body) - cap(last) + max(len(last)-1, 0)
			if last == nil || cap(last) == 0 || at < 0 || at >= len(body) {
				at = -1
			}
			return found, at, err
		}
		switch entry {
		case textparse.EntrySeries:
			raw, _, value := p.Series()
			last = raw
			found++
			s.series(raw, value, p)
		case textparse.EntryType:
			family, declared := p.Type()
			last = family
			s.declare(family, string(declared))
		case textparse.EntryHelp:
			family, text := p.Help()
			last = family
			s.help(text)
		case textparse.EntryUnit:
			last, _ = p.Unit()
		case textparse.EntryComment:
			text := p.Comment()
			if len(text) > 0 {
				last = text
			}
			if bytes.Equal(bytes.TrimSpace(bytes.TrimLeft(text, "#")), []byte("EOF")) {
				s.end()
			}
		}
	}
}

// after returns what follows the line that holds offset at, and all for -1.
func after(body []byte, at int) []byte {
	if at < 0 {
		return body
	}
	return afterLine(body[at:])
}

// skipBroken returns what follows the first line that is not blank after the line that holds offset at.
func skipBroken(body []byte, at int) []byte {
	body = after(body, at)
	for len(body) > 0 && len(bytes.TrimSpace(line(body))) == 0 {
		body = afterLine(body)
	}
	return afterLine(body)
}

func line(body []byte) []byte {
	if i := bytes.IndexByte(body, '\n'); i >= 0 {
		return body[:i]
	}
	return body
}

func afterLine(body []byte) []byte {
	if i := bytes.IndexByte(body, '\n'); i >= 0 {
		return body[i+1:]
	}
	return body[:0]
}

// nameOf returns the name of a raw series, which is empty where the name is quoted inside the braces: no engine does that.
func nameOf(raw []byte) []byte {
	if i := bytes.IndexAny(raw, "{ \t"); i >= 0 {
		raw = raw[:i]
	}
	return raw
}
