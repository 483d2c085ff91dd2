package zmqsub

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// endOfReplay is the sequence number, -1 as a signed one, of the message after the last.
const endOfReplay = math.MaxUint64

// replay asks for the messages from a sequence number on, and hands over what comes until take returns false, or the publisher has no
// more. A request is [empty, start]; an answer is [empty, topic, sequence, payload], in older engines without the topic (vLLM 0.32.0
// and 0181ea3, SGLang 0.5.23 and 006d053).
func replay(ctx context.Context, s *Settings, from uint64, take func(sequence uint64, payload []byte) bool) error {
	ctx, cancel := context.WithTimeout(ctx, s.ReplayTimeout)
	defer cancel()
	c, err := dial(ctx, s.Replay, dealerSocket, s.ReplayTimeout, s.MaxMessageBytes)
	if err != nil {
		return err
	}
	defer c.close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.raw.SetDeadline(deadline)
	}
	if err := c.send(nil, binary.BigEndian.AppendUint64(nil, from)); err != nil {
		return err
	}
	for {
		frames, err := c.receive()
		if err != nil {
			return err
		}
		n := len(frames)
		if n < 3 || n > 4 || len(frames[0]) != 0 || len(frames[n-2]) != sequenceBytes {
			return fmt.Errorf("an answer to a replay must be an empty frame, a topic, a sequence number and a payload (got %d frames)", n)
		}
		sequence := binary.BigEndian.Uint64(frames[n-2])
		if sequence == endOfReplay && len(frames[n-1]) == 0 {
			return nil
		}
		if !take(sequence, frames[n-1]) {
			return nil
		}
	}
}

// minReplayTimeout leaves time for a publisher that answers between two batches only.
const minReplayTimeout = 100 * time.Millisecond
