package stream

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-zeromq/zmq4"
)

// maxTopics bounds the subscriptions of one peer.
const maxTopics = 1024

// pub is a PUB socket: each subscriber has a queue of hwm messages, and what does not fit is dropped for that subscriber and
// counted.
type pub struct {
	socket  *socket
	hwm     int
	dropped atomic.Uint64

	mu   sync.Mutex
	subs map[*subscriber]struct{}
}

type subscriber struct {
	peer  *peer
	queue chan []byte

	mu     sync.Mutex
	topics map[string]int
}

func newPub(key, endpoint string, hwm int) (*pub, error) {
	p := &pub{hwm: hwm, subs: make(map[*subscriber]struct{})}
	s, err := open(zmq4.Pub, key, endpoint, p.serve)
	if err != nil {
		return nil, err
	}
	p.socket = s
	return p, nil
}

// send queues a framed message for every subscriber to its topic. It never blocks, and keeps frames.
func (p *pub) send(topic string, frames []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.subs {
		if !s.wants(topic) {
			continue
		}
		select {
		case s.queue <- frames:
		default:
			p.dropped.Add(1)
		}
	}
}

// subscribers is the number of peers with at least one subscription.
func (p *pub) subscribers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for s := range p.subs {
		s.mu.Lock()
		if len(s.topics) > 0 {
			n++
		}
		s.mu.Unlock()
	}
	return n
}

// disconnect hangs up on all subscribers and forgets them at once.
func (p *pub) disconnect() {
	p.mu.Lock()
	clear(p.subs)
	p.mu.Unlock()
	p.socket.disconnect()
}

func (p *pub) serve(peer *peer, closing <-chan struct{}) {
	s := &subscriber{peer: peer, queue: make(chan []byte, p.hwm), topics: make(map[string]int)}
	p.mu.Lock()
	p.subs[s] = struct{}{}
	p.mu.Unlock()
	var writer sync.WaitGroup
	writer.Go(func() { s.write(closing) })
	s.listen()
	p.mu.Lock()
	delete(p.subs, s)
	p.mu.Unlock()
	peer.hangUp()
	writer.Wait()
}

// listen takes subscriptions until the peer is gone: a message of one frame, 1 or 0 and the topic.
func (s *subscriber) listen() {
	for {
		msg, err := s.peer.zmq.RecvMsg()
		if err != nil {
			return
		}
		if msg.Type != zmq4.CmdMsg && len(msg.Frames) == 1 && len(msg.Frames[0]) > 0 {
			s.subscribe(msg.Frames[0][0], string(msg.Frames[0][1:]))
		}
	}
}

func (s *subscriber) subscribe(verb byte, topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch verb {
	case 1:
		if len(s.topics) < maxTopics {
			s.topics[topic]++
		}
	case 0:
		if s.topics[topic]--; s.topics[topic] <= 0 {
			delete(s.topics, topic)
		}
	}
}

func (s *subscriber) wants(topic string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for prefix := range s.topics {
		if strings.HasPrefix(topic, prefix) {
			return true
		}
	}
	return false
}

// write sends what is queued; once the socket closes it empties the queue and hangs up.
func (s *subscriber) write(closing <-chan struct{}) {
	defer s.peer.hangUp()
	for {
		select {
		case frames := <-s.queue:
			if !s.put(frames) {
				return
			}
		case <-s.peer.gone:
			return
		case <-closing:
			for {
				select {
				case frames := <-s.queue:
					if !s.put(frames) {
						return
					}
				default:
					return
				}
			}
		}
	}
}

func (s *subscriber) put(frames []byte) bool {
	_, err := s.peer.zmq.Write(frames)
	return err == nil
}
