package stream

import (
	"encoding/binary"
	"errors"
	"sync"
)

var errClosed = errors.New("already closed")

// Stats count what a publisher did since it started, a restart included.
type Stats struct {
	// Published are messages sent or meant to be: everything given to Publish, and heartbeats.
	Published uint64
	// Overflowed, Lost, Dropped, Garbled and Duplicated count faults.
	Overflowed, Lost, Dropped, Garbled, Duplicated uint64
	// SubscriberDrops are messages that found a subscriber's queue full, once a subscriber.
	SubscriberDrops uint64
	// RefusedPeers are connections that failed the handshake or exceeded the limit of 256.
	RefusedPeers uint64
	// ReplayRequests, Replayed and InvalidReplays are requests, messages sent for them, and requests of the wrong shape.
	ReplayRequests, Replayed, InvalidReplays uint64
}

// publication is what the publishers share: a PUB socket, the sequence, the replay buffer and the faults. A message has three frames:
// topic, sequence as 8 big-endian bytes, payload.
type publication struct {
	topic  string
	pub    *pub
	replay *replayer
	ring   *ring
	faults Faults

	mu       sync.Mutex
	sequence uint64
	scratch  []byte
	stats    Stats
	closed   bool
}

func newPublication(topic, key, endpoint string, hwm, steps int) (*publication, error) {
	p := &publication{topic: topic, ring: &ring{steps: make([]step, steps)}}
	socket, err := newPub(key, endpoint, hwm)
	if err != nil {
		return nil, err
	}
	p.pub = socket
	return p, nil
}

// publish numbers a message and sends it. encode appends the payload to a buffer that is used again.
func (p *publication) publish(encode func(dst []byte, sequence uint64) []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.stats.Published++
	v := p.faults.next()
	if v == overflow {
		p.stats.Overflowed++
		return
	}
	sequence := p.sequence
	p.sequence++
	if v == lose {
		p.stats.Lost++
		return
	}
	if v == garble {
		p.stats.Garbled++
		// 0xc1 is the one byte msgpack never uses.
		p.scratch = append(p.scratch[:0], 0xc1, 0xff, 0x00, 0xc1)
	} else {
		p.scratch = encode(p.scratch[:0], sequence)
	}
	frames, topic := p.frame(sequence)
	p.ring.add(step{sequence: sequence, frames: frames, topic: topic})
	switch v {
	case drop:
		p.stats.Dropped++
		return
	case duplicate:
		p.stats.Duplicated++
		p.pub.send(p.topic, frames)
	}
	p.pub.send(p.topic, frames)
}

// frame builds the message around the payload in scratch, in one buffer that subscribers and replay share, and returns it with the
// length of the topic's frame.
func (p *publication) frame(sequence uint64) ([]byte, int) {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], sequence)
	topic := frameSize(len(p.topic))
	frames := make([]byte, 0, topic+frameSize(len(number))+frameSize(len(p.scratch)))
	frames = appendFrame(frames, []byte(p.topic), true)
	frames = appendFrame(frames, number[:], true)
	return appendFrame(frames, p.scratch, false), topic
}

// restart does what a new process would: peers are disconnected, the sequence starts at 0, nothing is buffered.
func (p *publication) restart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sequence = 0
	p.ring.clear()
	p.pub.disconnect()
	if p.replay != nil {
		p.replay.socket.disconnect()
	}
}

func (p *publication) snapshot() Stats {
	p.mu.Lock()
	s := p.stats
	p.mu.Unlock()
	s.SubscriberDrops = p.pub.dropped.Load()
	s.RefusedPeers = p.pub.socket.refused.Load()
	if p.replay != nil {
		s.RefusedPeers += p.replay.socket.refused.Load()
		s.ReplayRequests, s.Replayed, s.InvalidReplays = p.replay.requests.Load(), p.replay.answered.Load(), p.replay.invalid.Load()
	}
	return s
}

func (p *publication) close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return errClosed
	}
	p.closed = true
	p.mu.Unlock()
	if p.replay != nil {
		p.replay.socket.close()
	}
	p.pub.socket.close()
	return nil
}
