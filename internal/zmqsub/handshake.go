package zmqsub

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Flags of a frame of ZMTP 3.0 (https://rfc.zeromq.org/spec/23/).
const (
	flagMore    = 0x01
	flagLong    = 0x02
	flagCommand = 0x04
)

const (
	greetingBytes  = 64
	handshakeBytes = 4 << 10 // of the peer's command
	nullMechanism  = "NULL"
	socketTypeKey  = "Socket-Type"
)

// Socket types.
const (
	subSocket    = "SUB"
	dealerSocket = "DEALER"
)

// peersOf are the socket types that a socket may talk to.
func peersOf(socketType string) []string {
	if socketType == subSocket {
		return []string{"PUB", "XPUB"}
	}
	return []string{"ROUTER", "DEALER", "REP"}
}

// handshake greets a peer as a client without security, and checks what it is.
func (c *conn) handshake(socketType string) error {
	greeting := make([]byte, 0, greetingBytes)
	greeting = append(greeting, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0)
	greeting = append(greeting, nullMechanism...)
	if _, err := c.raw.Write(greeting[:greetingBytes]); err != nil {
		return err
	}
	var got [greetingBytes]byte
	if _, err := io.ReadFull(c.reader, got[:]); err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	if got[0] != 0xff || got[9] != 0x7f {
		return errors.New("greeting: the peer does not speak ZeroMQ")
	}
	if mechanism := strings.TrimRight(string(got[12:32]), "\x00"); got[10] < 3 || mechanism != nullMechanism {
		return fmt.Errorf("greeting: the peer must speak version 3 without security (got version %d, mechanism %q)", got[10], mechanism)
	}
	ready := append([]byte("\x05READY"), byte(len(socketTypeKey)))
	ready = append(ready, socketTypeKey...)
	ready = binary.BigEndian.AppendUint32(ready, uint32(len(socketType)))
	ready = append(ready, socketType...)
	if _, err := c.raw.Write(append([]byte{flagCommand, byte(len(ready))}, ready...)); err != nil {
		return err
	}
	return c.awaitReady(socketType)
}

func (c *conn) awaitReady(socketType string) error {
	limit := c.maxBytes
	c.maxBytes = min(limit, handshakeBytes)
	defer func() { c.maxBytes = limit }()
	flags, err := c.frame()
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	name, body, ok := cutShort(c.buf)
	if !ok || flags&flagCommand == 0 {
		return errors.New("handshake: the peer sends no command")
	}
	if string(name) != "READY" {
		return fmt.Errorf("handshake: the peer must be READY (got %.40q)", string(name)+" "+string(body))
	}
	for len(body) > 0 {
		var key []byte
		if key, body, ok = cutShort(body); !ok || len(body) < 4 {
			return errors.New("handshake: a property of the peer is cut off")
		}
		size := uint64(binary.BigEndian.Uint32(body))
		if body = body[4:]; size > uint64(len(body)) {
			return errors.New("handshake: a property of the peer is cut off")
		}
		value := string(body[:size])
		body = body[size:]
		if strings.EqualFold(string(key), socketTypeKey) {
			if !slices.Contains(peersOf(socketType), value) {
				return fmt.Errorf("handshake: the peer must be %s (got %.40q)", strings.Join(peersOf(socketType), " or "), value)
			}
			return nil
		}
	}
	return errors.New("handshake: the peer does not say what socket it is")
}

// cutShort cuts bytes off that have their length, of one byte, in front of them.
func cutShort(b []byte) (head, rest []byte, ok bool) {
	if len(b) == 0 || len(b)-1 < int(b[0]) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n], b[n:], true
}

// headBytes is the length of a frame's head with these flags.
func headBytes(flags byte) int {
	if flags&flagLong != 0 {
		return 9
	}
	return 2
}
