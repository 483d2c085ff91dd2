package passes

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const recorded = "../../tests/engines/recordings/dynamo-1.6.1-mocker"

// TestRecordedPasses adds up what a mocker of Dynamo published on the event plane, and holds it against what its clients were told.
func TestRecordedPasses(t *testing.T) {
	var requests [][3]uint64 // prompt, completion and cached tokens
	raw, err := os.ReadFile(filepath.Join(recorded, "requests.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &requests))
	frames, err := os.ReadFile(filepath.Join(recorded, "forward-passes.frames"))
	require.NoError(t, err)
	r := NewReducer()
	messages := 0
	for len(frames) > 0 {
		var message [4][]byte // topic, publisher, sequence number, envelope
		for i := range message {
			n := int(binary.BigEndian.Uint32(frames))
			message[i], frames = frames[4:4+n], frames[4+n:]
		}
		assert.Equal(t, "forward-pass-metrics", string(message[0]))
		_, taken := r.Take(message[3])
		require.True(t, taken)
		messages++
	}
	got := r.Totals()
	assert.Zero(t, got.Lost+got.Restarts)
	assert.Equal(t, [Refusals]uint64{}, got.Refused)
	var steps, prefill, decodes, computed, generated uint64
	for _, s := range got.Steps {
		steps, prefill, decodes = steps+s.Steps, prefill+s.PrefillTokens, decodes+s.DecodeSequences
	}
	assert.Equal(t, uint64(messages), steps+got.Heartbeats)
	for _, q := range requests {
		computed, generated = computed+q[0]-q[2], generated+q[1]
	}
	t.Logf("%d messages, %d heartbeats, %d steps; prefill %d tokens, clients %d; decode %d, clients %d of %d requests",
		messages, got.Heartbeats, steps, prefill, computed, decodes, generated, len(requests))
	assert.Equal(t, computed, prefill)
	assert.Equal(t, generated-uint64(len(requests)), decodes, "the first token of each request comes from its prefill")
}

func TestEnvelopesThatAreNone(t *testing.T) {
	for name, message := range map[string]string{
		"length":      "\x01\x00\x00\x00\x09\x80",
		"no map":      "\x01\x00\x00\x00\x01\x90",
		"no payload":  "\x01\x00\x00\x00\x04\x81\xa1a\x01",
		"no bytes":    "\x01\x00\x00\x00\x0a\x81\xa7payload\x01",
		"cut off":     "\x01\x00\x00\x00\x03\x82\xa1a",
		"empty":       "\x01\x00\x00\x00\x0b\x81\xa7payload\xc4\x00",
		"no envelope": "\x01\x00\x00\x00",
	} {
		_, err := Decode([]byte(message))
		assert.Error(t, err, name)
	}
}
