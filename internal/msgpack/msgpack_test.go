package msgpack

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
)

// value is msgpack of v with a byte behind it, which must be left.
func value(t *testing.T, v any) []byte {
	t.Helper()
	b, err := msgp.AppendIntf(nil, v)
	require.NoError(t, err)
	return append(b, 0x07)
}

func TestNumbers(t *testing.T) {
	for v, want := range map[any]float64{
		1.5: 1.5, float32(0.5): 0.5, 7: 7, -7: -7, uint64(math.MaxUint64): math.MaxUint64, int64(math.MinInt64): math.MinInt64,
	} {
		got, rest, err := Float(value(t, v))
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, []byte{7}, rest)
	}
	for v, want := range map[any]int64{0: 0, uint64(math.MaxInt64): math.MaxInt64, 3.0: 3, float32(2): 2} {
		got, rest, err := Count(value(t, v))
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, []byte{7}, rest)
	}
	for v, want := range map[any]string{
		-1: "must be at least 0, got -1", uint64(1 << 63): "must be less than 2^63, got 9223372036854775808", 1.5: "must be a count, got 1.5",
		math.Inf(1): "must be a count, got +Inf", -2.0: "must be a count, got -2",
	} {
		_, _, err := Count(value(t, v))
		assert.EqualError(t, err, want)
	}
	_, _, err := Count(value(t, math.NaN()))
	assert.EqualError(t, err, "must be a count, got NaN")
	_, _, err = Float(value(t, "1"))
	assert.Error(t, err)
}

func TestHashes(t *testing.T) {
	digest := append(make([]byte, 24), 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10)
	for _, tt := range []struct {
		v    any
		want uint64
	}{
		{uint64(math.MaxUint64), math.MaxUint64}, {-1, math.MaxUint64}, {int64(math.MinInt64), 1 << 63}, {5, 5},
		{digest, 0xfedcba9876543210}, {digest[24:], 0xfedcba9876543210},
	} {
		got, rest, err := Hash(value(t, tt.v))
		require.NoError(t, err)
		assert.Equal(t, tt.want, got)
		assert.Equal(t, []byte{7}, rest)
	}
	for _, v := range []any{"12345678", digest[25:], nil, 1.5} {
		_, _, err := Hash(value(t, v))
		assert.Error(t, err, "%v", v)
	}
}

func TestArraysThatAreSkipped(t *testing.T) {
	numbers := []any{0, 127, -1, -32, 128, 255, 256, 65535, 65536, uint64(math.MaxUint64), -33, -128, -129, -32769, int64(math.MinInt64)}
	for n := range len(numbers) + 1 {
		got, rest, err := SkipArray(value(t, numbers[:n]))
		require.NoError(t, err)
		assert.Equal(t, n, got)
		assert.Equal(t, []byte{7}, rest)
	}
	got, rest, err := SkipArray(value(t, []any{1, "text", []any{2, 3}, nil, true, 1.5, map[string]any{"a": 1}, 300}))
	require.NoError(t, err)
	assert.Equal(t, 8, got)
	assert.Equal(t, []byte{7}, rest)

	whole := value(t, numbers)
	whole = whole[:len(whole)-1]
	for n := range whole {
		_, _, err := SkipArray(whole[:n])
		require.Error(t, err, n)
	}
}

func TestLengthsAreNotBelieved(t *testing.T) {
	_, _, err := Array([]byte{0xdd, 0xff, 0xff, 0xff, 0xff, 1, 2})
	require.ErrorIs(t, err, ErrShort)
	_, _, err = Map([]byte{0x82, 1, 2, 3})
	require.ErrorIs(t, err, ErrShort)
	n, named, rest, err := Struct([]byte{0x81, 0xa1, 'x', 1})
	require.NoError(t, err)
	assert.True(t, named)
	assert.Equal(t, 1, n)
	assert.Len(t, rest, 3)
	_, named, _, err = Struct([]byte{0x91, 1})
	require.NoError(t, err)
	assert.False(t, named)
	text, rest, err := Text([]byte{0xc0, 1})
	require.NoError(t, err)
	assert.Empty(t, text)
	assert.Len(t, rest, 1)
}
