package stream

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
)

const (
	// maxPeers bounds the connections of one socket; more are closed at once.
	maxPeers = 256
	// handshakeTimeout bounds a peer that connects and says nothing.
	handshakeTimeout = 5 * time.Second
	// lingerTimeout bounds what Close still writes to a slow peer.
	lingerTimeout = 250 * time.Millisecond
	// acceptPause is the pause after a failed accept, such as one without a free file descriptor.
	acceptPause = 10 * time.Millisecond
)

// peer is one connection after its handshake. It ends when `gone` closes.
type peer struct {
	zmq  *zmq4.Conn
	raw  net.Conn
	gone chan struct{}
	once sync.Once
}

func (p *peer) hangUp() {
	p.once.Do(func() {
		close(p.gone)
		_ = p.raw.Close()
	})
}

// socket accepts the peers of one bound ZeroMQ socket. The library speaks the protocol of a connection; its own PUB socket is not
// used because zmq4 v0.17.0 queues without bound unless told otherwise, drops uncounted, lets one slow subscriber hold up all, and
// leaves a goroutine behind on Close. Peers are trusted with memory: the library allocates what the head of a frame announces, before
// the body comes. Bind to loopback, or to a network whose peers are known.
type socket struct {
	kind     zmq4.SocketType
	endpoint string
	listener net.Listener
	// serve handles one peer and returns when it is gone.
	serve func(*peer)
	// closing closes when the socket does: finish what is queued, then hang up.
	closing chan struct{}
	refused atomic.Uint64

	mu    sync.Mutex
	peers map[*peer]struct{}
	wait  sync.WaitGroup
	once  sync.Once
}

// open binds the socket and starts to accept.
func open(kind zmq4.SocketType, key, endpoint string, serve func(*peer, <-chan struct{})) (*socket, error) {
	ln, at, err := bind(key, endpoint)
	if err != nil {
		return nil, err
	}
	s := &socket{kind: kind, endpoint: at, listener: ln, closing: make(chan struct{}), peers: make(map[*peer]struct{})}
	s.serve = func(p *peer) { serve(p, s.closing) }
	s.wait.Go(s.accept)
	return s, nil
}

func (s *socket) accept() {
	for {
		conn, err := s.listener.Accept()
		if err == nil {
			s.wait.Go(func() { s.handle(conn) })
			continue
		}
		select {
		case <-s.closing:
			return
		case <-time.After(acceptPause):
		}
	}
}

func (s *socket) handle(conn net.Conn) {
	p := &peer{raw: conn, gone: make(chan struct{})}
	defer p.hangUp()
	if !s.admit(p) {
		return
	}
	defer s.forget(p)
	_ = conn.SetDeadline(time.Now().Add(handshakeTimeout))
	zmq, err := shake(conn, s.kind)
	if err != nil {
		s.refused.Add(1)
		return
	}
	_ = conn.SetDeadline(time.Time{})
	p.zmq = zmq
	s.serve(p)
}

// shake answers a peer's handshake. The library (v0.17.0) indexes past the end of a READY whose property is cut off; such a peer must not
// end the fleet.
func shake(conn net.Conn, kind zmq4.SocketType) (zmq *zmq4.Conn, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			zmq, err = nil, fmt.Errorf("handshake with %s: %v", conn.RemoteAddr(), fault)
		}
	}()
	return zmq4.Open(conn, null.Security(), kind, nil, true, nil)
}

func (s *socket) admit(p *peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closing:
		return false
	default:
	}
	if len(s.peers) >= maxPeers {
		s.refused.Add(1)
		return false
	}
	s.peers[p] = struct{}{}
	return true
}

func (s *socket) forget(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.peers, p)
}

// disconnect hangs up on all peers, as a process that ends does; clients connect again by themselves.
func (s *socket) disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.peers {
		p.hangUp()
	}
}

// close stops accepting, gives peers lingerTimeout to take what is queued, and waits for every goroutine.
func (s *socket) close() {
	s.once.Do(func() {
		s.mu.Lock()
		close(s.closing)
		deadline := time.Now().Add(lingerTimeout)
		for p := range s.peers {
			_ = p.raw.SetDeadline(deadline)
		}
		s.mu.Unlock()
		_ = s.listener.Close()
	})
	s.wait.Wait()
}
