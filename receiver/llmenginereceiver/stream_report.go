package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// streamState tells the reporter how a stream is. It is safe for concurrent use.
type streamState struct {
	tell *reporter
	name string // endpoint and kind
	up   *atomic.Bool
}

func newStreamState(tell *reporter, kind, endpoint string) streamState {
	return streamState{tell: tell, name: kind + " of " + endpoint, up: new(atomic.Bool)}
}

func (s streamState) connected() {
	s.up.Store(true)
	s.tell.stream(s.name, nil)
}

func (s streamState) disconnected(why error) {
	s.up.Store(false)
	s.tell.stream(s.name, fmt.Errorf("not connected: %w", why))
}

var errEventsMissing = errors.New("events are missing, so the resident blocks are not known until the cache is cleared or has turned over")

// known tells whether a connected stream's blocks are known.
func (s streamState) known(known bool) {
	switch {
	case !s.up.Load():
	case known:
		s.tell.stream(s.name, nil)
	default:
		s.tell.stream(s.name, errEventsMissing)
	}
}

// streamStanding is what was last said of a stream.
type streamStanding struct {
	trouble  string
	logged   string
	loggedAt time.Time
}

// stream takes how a stream is, nil for well. Changes are logged, at most one per stream and quiet time, and reported as status.
func (r *reporter) stream(name string, trouble error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.streams[name]
	if s == nil {
		s = &streamStanding{}
		r.streams[name] = s
		r.sizes.streams++
		r.status.enter(standings{streams: 1})
	}
	text := ""
	if trouble != nil {
		text = trouble.Error()
	}
	was := s.trouble
	s.trouble = text
	r.logStream(name, s)
	if (was == "") == (text == "") {
		return
	}
	if text == "" {
		r.change(standings{streams: -1}, fmt.Errorf("%s is well again", name))
	} else {
		r.change(standings{streams: 1}, fmt.Errorf("%s: %w", name, trouble))
	}
}

func (r *reporter) logStream(name string, s *streamStanding) {
	now := r.clock.Now()
	if s.trouble == s.logged || !s.loggedAt.IsZero() && now.Sub(s.loggedAt) < quiet {
		return
	}
	if s.trouble == "" {
		r.logger.Info("The stream is well again", zap.String("stream", name))
	} else {
		r.logger.Warn("The stream is in trouble", zap.String("stream", name), zap.String("reason", s.trouble))
	}
	s.logged, s.loggedAt = s.trouble, now
}
