package zmqsub

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFramesOfDynamosEventPlane: there the publisher's number comes before that of the message.
func TestFramesOfDynamosEventPlane(t *testing.T) {
	greeting := make([]byte, greetingBytes)
	copy(greeting, "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00NULL")
	say := append(greeting, "\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB"...)
	message := func(frames ...string) {
		for i, f := range frames {
			more := byte(flagMore)
			if i == len(frames)-1 {
				more = 0
			}
			say = append(append(say, more, byte(len(f))), f...)
		}
	}
	const number = "\x00\x00\x00\x00\x00\x00\x00\x07"
	message("topic", number, number, "enveloped")
	message("topic", number[:4], number, "another form")
	message("topic", number, "number", "another form")
	message("topic", number, "plain")

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() {
		c, err := ln.Accept()
		_ = ln.Close()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = c.Write(say)
		for buf := make([]byte, 1024); err == nil; {
			_, err = c.Read(buf) // until the subscriber hangs up
		}
	})
	s := settings(t, "tcp://"+ln.Addr().String(), "")
	s.Sequenced = false
	d := &diary{}
	ctx, cancel := context.WithCancel(context.Background())
	wait.Go(func() { New(s, d).Run(ctx) })
	defer cancel()
	hex := func(s string) string { return fmt.Sprintf("%x", s) } // as the diary writes it
	d.expect(t, hex("enveloped"), "misframed", "misframed", hex("plain"))
	assert.Equal(t, 1, d.times())
}
