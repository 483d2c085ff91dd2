package passes

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tinylib/msgp/msgp"

	"github.com/otelcol-inference/otelcol-inference/internal/msgpack"
)

// Dynamo's event plane puts a pass into an envelope: a version, the length of what follows as four bytes, big-endian, and a map whose
// payload is the pass (recorded from ai-dynamo 1.6.1, tests/engines/recordings).
const (
	envelopeVersion = 1
	envelopeHead    = 5
)

// open returns the pass of an envelope. What is in none is returned as it is: a pass begins with the head of a map or of an array, never
// with the version of an envelope.
func open(message []byte) ([]byte, error) {
	if len(message) < envelopeHead || message[0] != envelopeVersion {
		return message, nil
	}
	if n := binary.BigEndian.Uint32(message[1:]); uint64(n) != uint64(len(message)-envelopeHead) {
		return nil, fmt.Errorf("envelope of %d bytes says %d", len(message)-envelopeHead, n)
	}
	n, b, err := msgpack.Map(message[envelopeHead:])
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	for range n {
		var key []byte
		if key, b, err = msgpack.Key(b); err != nil {
			return nil, fmt.Errorf("envelope: %w", err)
		}
		if string(key) == "payload" {
			payload, _, err := msgp.ReadBytesZC(b)
			return payload, err
		}
		if b, err = msgpack.Skip(b); err != nil {
			return nil, fmt.Errorf("envelope, %q: %w", key, err)
		}
	}
	return nil, errors.New("envelope has no payload")
}
