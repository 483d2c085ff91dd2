package zmqsub

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// peer is a connection on which a peer says some bytes and hangs up.
type peer struct {
	net.Conn
	said io.Reader
}

func (p *peer) Read(b []byte) (int, error)  { return p.said.Read(b) }
func (p *peer) Write(b []byte) (int, error) { return len(b), nil }

// FuzzPeer lets a peer say anything, from the greeting on. Whatever it is, the buffer holds no more than was said and the limit.
func FuzzPeer(f *testing.F) {
	greeting := make([]byte, greetingBytes)
	copy(greeting, "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00NULL")
	ready := append(greeting, "\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB"...)
	f.Add(greeting)
	f.Add(ready)
	f.Add(append(ready[:len(ready):len(ready)], "\x01\x02kv\x01\x08\x00\x00\x00\x00\x00\x00\x00\x07\x00\x03abc"...))
	f.Add(append(ready[:len(ready):len(ready)], "\x02\x7f\xff\xff\xff\xff\xff\xff\xffabc"...))
	const limit = 1 << 18
	f.Fuzz(func(t *testing.T, said []byte) {
		p := &peer{said: bytes.NewReader(said)}
		c := &conn{raw: p, reader: bufio.NewReaderSize(p, readBuffer), maxBytes: limit}
		err := c.handshake(subSocket)
		for n := 0; err == nil; n++ {
			require.LessOrEqual(t, n, len(said))
			var frames [][]byte
			frames, err = c.receive()
			require.LessOrEqual(t, len(frames), maxFrames)
			for _, f := range frames {
				require.LessOrEqual(t, len(f), len(said))
			}
		}
		require.LessOrEqual(t, cap(c.buf), max(firstBuffer, 2*len(said)))
	})
}
