package zmqsub

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPeersThatAnnounceTooMuch: the memory they announce is not allocated, and the subscriber comes again.
func TestPeersThatAnnounceTooMuch(t *testing.T) {
	greeting := make([]byte, greetingBytes)
	copy(greeting, "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00NULL")
	ready := append([]byte{flagCommand, 25}, "\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB"...)
	long := func(flags byte, size uint64) []byte {
		return binary.BigEndian.AppendUint64([]byte{flags | flagLong}, size)
	}
	frames := func(n int) (b []byte) {
		for range n {
			b = append(b, flagMore, 0)
		}
		return b
	}
	for name, tt := range map[string]struct {
		say  [][]byte
		want string
	}{
		"greeting of another protocol": {[][]byte{[]byte("HTTP/1.1 400 Bad Request\r\n\r\n                                                  ")}, "greeting: the peer does not speak ZeroMQ"},
		"other security":               {[][]byte{bytes.Replace(greeting, []byte("NULL"), []byte("CURV"), 1)}, `greeting: the peer must speak version 3 without security (got version 3, mechanism "CURV")`},
		"long handshake":               {[][]byte{greeting, long(flagCommand, 1<<62)}, "handshake: message: the peer announces more than the limit of 4096 bytes (got 4611686018427387904)"},
		"no handshake":                 {[][]byte{greeting, {0, 1, 'x'}}, "handshake: the peer sends no command"},
		"refusal":                      {[][]byte{greeting, append([]byte{flagCommand, 9}, "\x05ERROR\x02no"...)}, `handshake: the peer must be READY (got "ERROR \x02no")`},
		"other socket":                 {[][]byte{greeting, bytes.Replace(ready, []byte("PUB"), []byte("REP"), 1)}, `handshake: the peer must be PUB or XPUB (got "REP")`},
		"property cut off":             {[][]byte{greeting, bytes.Replace(ready, []byte{0, 0, 0, 3}, []byte{0, 0, 0, 9}, 1)}, "handshake: a property of the peer is cut off"},
		"no properties":                {[][]byte{greeting, append([]byte{flagCommand, 6}, "\x05READY"...)}, "handshake: the peer does not say what socket it is"},
		"frame":                        {[][]byte{greeting, ready, long(0, 1<<62)}, "message: the peer announces more than the limit of 1048576 bytes (got 4611686018427387904)"},
		"many frames":                  {[][]byte{greeting, ready, frames(100)}, "a message must have at most 8 frames"},
		"frames that add up":           {[][]byte{greeting, ready, append(append(long(flagMore, 1<<20), make([]byte, 1<<20)...), 0, 1)}, "(got 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			var wait sync.WaitGroup
			wait.Go(func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					wait.Go(func() {
						defer func() { _ = c.Close() }()
						for _, b := range tt.say {
							if _, err := c.Write(b); err != nil {
								return
							}
						}
						// The subscriber hangs up.
						buf := make([]byte, 1024)
						for {
							if _, err := c.Read(buf); err != nil {
								return
							}
						}
					})
				}
			})
			ctx, cancel := context.WithCancel(context.Background())
			d := &diary{}
			wait.Go(func() { New(settings(t, "tcp://"+ln.Addr().String(), ""), d).Run(ctx) })
			require.Eventually(t, func() bool { return d.error() != nil }, patience, interval)
			assert.ErrorContains(t, d.error(), tt.want)
			cancel()
			_ = ln.Close()
			wait.Wait()
		})
	}
}
