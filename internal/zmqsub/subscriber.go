package zmqsub

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"time"
)

const sequenceBytes = 8

// Handler takes what a Subscriber finds. Its methods are called one at a time.
type Handler interface {
	// Connected and Disconnected say how the connection is; why is never nil.
	Connected()
	Disconnected(why error)
	// Message takes a payload, which is valid during the call. Messages come in the order of their numbers, each once.
	Message(payload []byte)
	// Lost says that n messages before the next one are lost for good. n is 0 for those that were sent before the first message came.
	Lost(n uint64)
	// Restarted says that the publisher began anew; what follows is from its first message on, but for what Lost says.
	Restarted()
	// Note counts what is no message: one that came twice, has not three frames, or was had by replay.
	Note(Note)
}

// Note is an event worth counting.
type Note uint8

// The notes.
const (
	Duplicate    Note = iota // a message that came before
	Misframed                // a message that has not three frames
	Replayed                 // a message had by replay
	ReplayFailed             // a replay that brought less than was missing, or was one too many
)

// Settings of a Subscriber. All but Topic, Replay, After and Now are needed; ReplaysPerHour is with Replay.
type Settings struct {
	Endpoint        Endpoint
	Topic           string
	Replay          Endpoint // the zero value for none
	Timeout         time.Duration
	ReplayTimeout   time.Duration
	ReplaysPerHour  int // at most, and at once: a replay costs the engine as much as it keeps
	MaxMessageBytes int
	// Sequenced is false for streams without sequence numbers that mean something.
	Sequenced bool
	// FirstPause is after the first failure to connect, and doubles to MostPause.
	FirstPause, MostPause time.Duration
	// After and Now are those of package time, unless a test has its own.
	After func(time.Duration) <-chan time.Time
	Now   func() time.Time
}

// Subscriber receives one publisher's messages.
type Subscriber struct {
	set     Settings
	handler Handler
	seed    maphash.Seed

	started bool   // a message has come
	joining bool   // the first message came, and what was before it is asked for
	next    uint64 // sequence number that follows the last message
	last    uint64 // hash of the last message's payload
	fresh   bool   // no message has come on this connection
	budget  float64
	counted time.Time // when the budget was
}

// New makes a subscriber that does nothing yet.
func New(set Settings, handler Handler) *Subscriber {
	if set.After == nil {
		set.After = time.After
	}
	if set.Now == nil {
		set.Now = time.Now
	}
	set.ReplayTimeout = max(set.ReplayTimeout, minReplayTimeout)
	return &Subscriber{set: set, handler: handler, seed: maphash.MakeSeed(), budget: float64(set.ReplaysPerHour), counted: set.Now()}
}

// Run receives until ctx ends.
func (s *Subscriber) Run(ctx context.Context) {
	pause := s.set.FirstPause
	for {
		got, err := s.session(ctx)
		if ctx.Err() != nil {
			return
		}
		s.handler.Disconnected(err)
		if got {
			pause = s.set.FirstPause
		}
		// Many subscribers of one host that restarts must not come back at once.
		jittered := time.Duration((0.5 + rand.Float64()/2) * float64(pause))
		select {
		case <-ctx.Done():
			return
		case <-s.set.After(jittered):
		}
		pause = min(2*pause, s.set.MostPause)
	}
}

// session receives over one connection, and tells whether a message came.
func (s *Subscriber) session(ctx context.Context) (got bool, err error) {
	c, err := dial(ctx, s.set.Endpoint, subSocket, s.set.Timeout, s.set.MaxMessageBytes)
	if err != nil {
		return false, err
	}
	defer c.close()
	if err := c.send(append([]byte{1}, s.set.Topic...)); err != nil {
		return false, err
	}
	s.handler.Connected()
	s.fresh = true
	for {
		frames, err := c.receive()
		if err == nil {
			err = ctx.Err() // what is buffered outlives the connection
		}
		if err != nil {
			return got, err
		}
		// Dynamo's event plane has the publisher's number before that of the message.
		if len(frames) == 4 && len(frames[1]) == sequenceBytes {
			frames = frames[1:]
		}
		if len(frames) != 3 || len(frames[1]) != sequenceBytes {
			s.handler.Note(Misframed)
			continue
		}
		got = true
		if !s.set.Sequenced {
			s.handler.Message(frames[2])
			continue
		}
		s.take(ctx, binary.BigEndian.Uint64(frames[1]), frames[2])
	}
}

// take puts a message in its place: it asks for those before it that are missing, and notices a publisher that began anew: its numbers
// fall. After a new connection they may also go on by chance; then the payload of the last message tells.
func (s *Subscriber) take(ctx context.Context, sequence uint64, payload []byte) {
	fresh := s.fresh
	s.fresh = false
	switch {
	case !s.started:
		s.started, s.joining = true, true
		s.fill(ctx, sequence)
		s.joining = false
	case !fresh && sequence+1 == s.next:
		s.handler.Note(Duplicate)
		return
	case sequence < s.next, fresh && !s.same(ctx):
		s.handler.Restarted()
		s.next = 0
		s.fill(ctx, sequence)
	case sequence > s.next:
		s.fill(ctx, sequence)
	}
	s.pass(sequence, payload)
}

func (s *Subscriber) pass(sequence uint64, payload []byte) {
	s.next = sequence + 1
	if s.replays() {
		s.last = maphash.Bytes(s.seed, payload)
	}
	s.handler.Message(payload)
}

func (s *Subscriber) replays() bool { return s.set.Replay != Endpoint{} }

// same tells whether the publisher still is the process that sent the last message. If it cannot say, a number that goes on is believed;
// if it may not be asked any more, it is not.
func (s *Subscriber) same(ctx context.Context) bool {
	if !s.replays() {
		return true
	}
	if !s.afford() {
		return false
	}
	same := true
	err := replay(ctx, &s.set, s.next-1, func(n uint64, payload []byte) bool {
		same = n != s.next-1 || maphash.Bytes(s.seed, payload) == s.last
		return false
	})
	return same || err != nil
}

// fill asks for the messages from the next one up to a sequence number, and says how many are lost.
func (s *Subscriber) fill(ctx context.Context, upTo uint64) {
	if upTo <= s.next {
		return
	}
	if s.replays() && s.afford() {
		missing := s.next
		err := replay(ctx, &s.set, s.next, func(n uint64, payload []byte) bool {
			if n < s.next {
				return true
			}
			if n >= upTo {
				return false
			}
			if n > s.next {
				s.lost(n - s.next)
			}
			s.handler.Note(Replayed)
			s.pass(n, payload)
			return s.next < upTo
		})
		if s.next == upTo {
			return
		}
		if err != nil || s.next == missing {
			s.handler.Note(ReplayFailed)
		}
	}
	s.lost(upTo - s.next)
	s.next = upTo
}

// afford takes one replay from the budget, which fills up again within an hour.
func (s *Subscriber) afford() bool {
	now := s.set.Now()
	most := float64(s.set.ReplaysPerHour)
	s.budget = min(most, s.budget+now.Sub(s.counted).Hours()*most)
	s.counted = now
	if s.budget < 1 {
		s.handler.Note(ReplayFailed)
		return false
	}
	s.budget--
	return true
}

func (s *Subscriber) lost(n uint64) {
	if s.joining {
		n = 0
	}
	s.handler.Lost(n)
}
