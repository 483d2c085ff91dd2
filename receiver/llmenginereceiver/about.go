package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
	"github.com/otelcol-inference/otelcol-inference/internal/exposition"
)

const (
	maxAboutBytes    = 1 << 20 // of an engine's whole configuration in JSON
	maxAboutAttempts = 3       // per start of the engine
)

// aboutReader asks an engine of itself beside the scrapes: when the target is first seen, and when it comes back or began anew.
// What cannot be had costs nothing but itself. The target's loop owns it.
type aboutReader struct {
	known    exposition.Told
	attempts int
	answers  chan aboutAnswer // one place; an answer never waits
	asking   bool
	spawn    func(func()) // runs a function beside the loop; whoever made it waits for its end
}

// aboutAnswer is final when the engine answered at all: asking again would not change it.
type aboutAnswer struct {
	told  exposition.Told
	final bool
}

func newAboutReader(spawn func(func())) aboutReader {
	return aboutReader{answers: make(chan aboutAnswer, 1), spawn: spawn}
}

// want asks again. What was told before holds until there is an answer.
func (v *aboutReader) want() { v.attempts = maxAboutAttempts }

// get returns what the engine told, and whether that is news.
func (v *aboutReader) get() (told exposition.Told, news bool) {
	select {
	case a := <-v.answers:
		v.asking = false
		if a.told.Version == "" {
			a.told.Version = v.known.Version
		}
		v.known, news = a.told, true
		if a.final {
			v.attempts = 0
		}
	default:
	}
	return v.known, news
}

// ask starts requests if they are wanted and none is under way.
func (v *aboutReader) ask(ctx context.Context, client *http.Client, metrics *url.URL, pages []dialect.About, timeout time.Duration) {
	if v.asking || v.attempts == 0 || len(pages) == 0 {
		return
	}
	v.asking = true
	v.attempts--
	v.spawn(func() {
		answer := aboutAnswer{final: true}
		for _, page := range pages {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			final := fetchAbout(ctx, client, aboutURL(metrics, page.Path), page, &answer.told)
			cancel()
			answer.final = answer.final && final
		}
		v.answers <- answer
	})
}

// fetchAbout reads one page into told. It reports whether the engine answered.
func fetchAbout(ctx context.Context, client *http.Client, from *url.URL, page dialect.About, told *exposition.Told) (final bool) {
	resp, failed := get(ctx, client, from)
	if failed != nil {
		return failed.outcome == outcomeHTTPStatus
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if readBody(ctx, resp, maxAboutBytes, &body) != nil {
		return ctx.Err() == nil
	}
	var document any
	if json.NewDecoder(&body).Decode(&document) != nil {
		return true
	}
	if version, ok := lookUp(document, page.Version).(string); ok {
		told.Version = version
	}
	if theirs, ok := lookUp(document, page.Role).(string); ok {
		told.Role = page.Roles[theirs]
	}
	for attribute, path := range page.Facts {
		switch value := lookUp(document, path).(type) {
		case string, float64, bool:
			if told.Facts == nil {
				told.Facts = make(map[string]any)
			}
			told.Facts[attribute] = value
		}
	}
	return true
}

// lookUp follows keys from the top of a document down, and returns nil where one is not there.
func lookUp(document any, keys []string) any {
	if len(keys) == 0 {
		return nil
	}
	for _, key := range keys {
		object, ok := document.(map[string]any)
		if !ok {
			return nil
		}
		document = object[key]
	}
	return document
}
