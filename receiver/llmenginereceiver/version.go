package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	maxVersionBytes    = 4 << 10
	maxVersionAttempts = 3 // per start of the engine
)

// versionReader asks an engine for its version beside the scrapes: when the target is first seen, and when it comes back or
// began anew. A version that cannot be had costs nothing but itself. The target's loop owns it.
type versionReader struct {
	known    string
	attempts int
	answers  chan versionAnswer // one place; an answer never waits
	asking   bool
	spawn    func(func()) // runs a function beside the loop; whoever made it waits for its end
}

// versionAnswer is final when the engine answered at all: asking again would not change it.
type versionAnswer struct {
	version string
	final   bool
}

func newVersionReader(spawn func(func())) versionReader {
	return versionReader{answers: make(chan versionAnswer, 1), spawn: spawn}
}

// want asks for the version again. The old one holds until there is an answer.
func (v *versionReader) want() { v.attempts = maxVersionAttempts }

// get returns the version, or "" while it is not known.
func (v *versionReader) get() string {
	select {
	case a := <-v.answers:
		v.asking = false
		if a.version != "" {
			v.known = a.version
		}
		if a.final {
			v.attempts = 0
		}
	default:
	}
	return v.known
}

// ask starts a request if one is wanted and none is under way.
func (v *versionReader) ask(ctx context.Context, client *http.Client, from *url.URL, timeout time.Duration) {
	if v.asking || v.attempts == 0 {
		return
	}
	v.asking = true
	v.attempts--
	v.spawn(func() {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		v.answers <- fetchVersion(ctx, client, from)
	})
}

func fetchVersion(ctx context.Context, client *http.Client, from *url.URL) versionAnswer {
	resp, failed := get(ctx, client, from)
	if failed != nil {
		return versionAnswer{final: failed.outcome == outcomeHTTPStatus}
	}
	defer resp.Body.Close()
	var answer struct {
		Version string `json:"version"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxVersionBytes)).Decode(&answer); err != nil {
		return versionAnswer{final: ctx.Err() == nil}
	}
	return versionAnswer{version: answer.Version, final: true}
}
