package zmqsub

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

// Limits of one message.
const (
	maxFrames     = 8
	firstBuffer   = 64 << 10
	readBuffer    = 64 << 10
	keepBytes     = 1 << 20 // of the buffer, between messages
	keepAliveIdle = 30 * time.Second
)

// conn is one ZeroMQ connection after its handshake. It is not safe for concurrent use, but for close.
type conn struct {
	raw      net.Conn
	reader   *bufio.Reader
	maxBytes int // of a message
	buf      []byte
	ends     [maxFrames]int
	frames   [maxFrames][]byte
	stop     func() bool
}

// dial connects and shakes hands. The connection closes when ctx ends.
func dial(ctx context.Context, e Endpoint, socketType string, timeout time.Duration, maxBytes int) (*conn, error) {
	connecting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// A peer that vanished without a word is found by probes of the system.
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAliveIdle, Interval: keepAliveIdle / 3, Count: 3}}
	raw, err := dialer.DialContext(connecting, e.Network, e.Address)
	if err != nil {
		return nil, err
	}
	c := &conn{raw: raw, reader: bufio.NewReaderSize(raw, readBuffer), maxBytes: maxBytes}
	c.stop = context.AfterFunc(ctx, func() { _ = raw.Close() })
	deadline, _ := connecting.Deadline()
	_ = raw.SetDeadline(deadline)
	if err := c.handshake(socketType); err != nil {
		c.close()
		return nil, err
	}
	_ = raw.SetDeadline(time.Time{})
	return c, nil
}

func (c *conn) close() {
	c.stop()
	_ = c.raw.Close()
}

// send writes one message of short frames.
func (c *conn) send(frames ...[]byte) error {
	var out []byte
	for i, f := range frames {
		var flags byte
		if i < len(frames)-1 {
			flags = flagMore
		}
		if len(f) > 255 {
			return fmt.Errorf("a frame to send must have at most 255 bytes (got %d)", len(f))
		}
		out = append(append(out, flags, byte(len(f))), f...)
	}
	_, err := c.raw.Write(out)
	return err
}

// receive reads the next message. The frames are valid until the next call. Commands are passed over: the handshake states version
// 3.0 of the protocol, in which no peer expects an answer to one.
func (c *conn) receive() ([][]byte, error) {
	if cap(c.buf) > keepBytes {
		c.buf = nil
	}
	for {
		c.buf = c.buf[:0]
		command := false
		n := 0
		for more := true; more; n++ {
			if n == maxFrames {
				return nil, fmt.Errorf("a message must have at most %d frames", maxFrames)
			}
			flags, err := c.frame()
			if err != nil {
				return nil, err
			}
			c.ends[n] = len(c.buf)
			more = flags&flagMore != 0
			command = command || flags&flagCommand != 0
		}
		if command {
			continue
		}
		start := 0
		for i := range n {
			c.frames[i] = c.buf[start:c.ends[i]:c.ends[i]]
			start = c.ends[i]
		}
		return c.frames[:n], nil
	}
}

// frame reads one frame to the end of the buffer.
func (c *conn) frame() (flags byte, err error) {
	if flags, err = c.reader.ReadByte(); err != nil {
		return 0, err
	}
	head, err := c.reader.Peek(headBytes(flags) - 1)
	if err != nil {
		return 0, err
	}
	var size uint64
	for _, b := range head {
		size = size<<8 | uint64(b)
	}
	_, _ = c.reader.Discard(len(head))
	if size > uint64(c.maxBytes-len(c.buf)) {
		return 0, fmt.Errorf("message: %w of %d bytes (got %d)", errTooLarge, c.maxBytes, size)
	}
	return flags, c.body(int(size))
}

// body reads bytes to the end of the buffer, which grows by what has arrived and not by what is announced.
func (c *conn) body(left int) error {
	for left > 0 {
		if len(c.buf) == cap(c.buf) {
			grown := make([]byte, len(c.buf), max(firstBuffer, 2*cap(c.buf)))
			copy(grown, c.buf)
			c.buf = grown
		}
		start := len(c.buf)
		n := min(left, cap(c.buf)-start)
		c.buf = c.buf[:start+n]
		if _, err := io.ReadFull(c.reader, c.buf[start:]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}
