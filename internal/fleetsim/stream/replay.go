package stream

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/go-zeromq/zmq4"
)

// ReplayMode is how a publisher answers a request for replay.
type ReplayMode int32

// The modes.
const (
	// ReplayServed sends what is buffered from the requested sequence on, then the end marker.
	ReplayServed ReplayMode = iota
	// ReplayEmpty sends the end marker alone, as a publisher that has just started.
	ReplayEmpty
	// ReplayRefused sends nothing.
	ReplayRefused
)

// chunkSize is how much of a replay is collected before it is written.
const chunkSize = 64 << 10

// step is one buffered message: all its frames, of which the first `topic` bytes are the topic's.
type step struct {
	sequence uint64
	frames   []byte
	topic    int
}

// ring holds the last messages, up to its capacity.
type ring struct {
	mu    sync.Mutex
	steps []step
	next  int
	full  bool
}

func (r *ring) add(s step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.steps) == 0 {
		return
	}
	r.steps[r.next] = s
	if r.next++; r.next == len(r.steps) {
		r.next, r.full = 0, true
	}
}

func (r *ring) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.steps)
	r.next, r.full = 0, false
}

// from returns the buffered steps with a sequence of at least start, oldest first.
func (r *ring) from(start uint64) []step {
	r.mu.Lock()
	defer r.mu.Unlock()
	var older []step
	if r.full {
		older = r.steps[r.next:]
	}
	var found []step
	for _, part := range [2][]step{older, r.steps[:r.next]} {
		for _, s := range part {
			if s.sequence >= start {
				found = append(found, s)
			}
		}
	}
	return found
}

// replayer is the ROUTER socket beside a publisher. A request is [empty, start]: REQ adds the empty frame, DEALER must send it. Each
// answer is [empty, topic, sequence, payload], the last one [empty, empty, -1, empty], as in vLLM 0.32.0 and SGLang 0.5.23. Earlier
// revisions (vLLM 0181ea3, SGLang 006d053) have no topic frame (bare).
type replayer struct {
	socket *socket
	ring   *ring
	bare   bool
	mode   atomic.Int32

	requests, answered, invalid atomic.Uint64
}

func newReplayer(key, endpoint string, r *ring, bare bool) (*replayer, error) {
	p := &replayer{ring: r, bare: bare}
	s, err := open(zmq4.Router, key, endpoint, p.serve)
	if err != nil {
		return nil, err
	}
	p.socket = s
	return p, nil
}

func (p *replayer) serve(peer *peer, closing <-chan struct{}) {
	stop := make(chan struct{})
	var closer sync.WaitGroup
	closer.Go(func() {
		select {
		case <-closing:
			peer.hangUp()
		case <-stop:
		}
	})
	defer closer.Wait()
	defer close(stop)
	for {
		msg, err := peer.zmq.RecvMsg()
		if err != nil {
			return
		}
		if msg.Type == zmq4.CmdMsg {
			continue
		}
		if len(msg.Frames) != 2 || len(msg.Frames[1]) > 8 {
			p.invalid.Add(1)
			continue
		}
		p.requests.Add(1)
		if ReplayMode(p.mode.Load()) == ReplayRefused {
			continue
		}
		if p.answer(peer, msg.Frames[1]) != nil {
			return
		}
	}
}

func (p *replayer) answer(peer *peer, start []byte) error {
	var padded [8]byte
	copy(padded[8-len(start):], start)
	var steps []step
	if ReplayMode(p.mode.Load()) == ReplayServed {
		steps = p.ring.from(binary.BigEndian.Uint64(padded[:]))
	}
	var chunk []byte
	for _, s := range steps {
		chunk = appendFrame(chunk, nil, true)
		if p.bare {
			chunk = append(chunk, s.frames[s.topic:]...)
		} else {
			chunk = append(chunk, s.frames...)
		}
		if len(chunk) >= chunkSize {
			if _, err := peer.zmq.Write(chunk); err != nil {
				return err
			}
			chunk = chunk[:0]
		}
		p.answered.Add(1)
	}
	_, err := peer.zmq.Write(p.appendEnd(chunk))
	return err
}

// appendEnd appends the end marker: sequence -1 and an empty payload.
func (p *replayer) appendEnd(dst []byte) []byte {
	end := [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	dst = appendFrame(dst, nil, true)
	if !p.bare {
		dst = appendFrame(dst, nil, true)
	}
	dst = appendFrame(dst, end[:], true)
	return appendFrame(dst, nil, false)
}
