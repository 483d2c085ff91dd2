package msgpack

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
)

// FuzzRead reads anything as each kind of value. What is taken ends where msgp says that the value ends.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"", "\x07", "\xff", "\xc0", "\xc1", "\xc2", "\xc3", // nothing, 7, -1, nil, never used, false, true
		"\xcc\x80", "\xcd\x01\x00", "\xce\x00\x01\x00\x00", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", // unsigned
		"\xd0\x80", "\xd1\x80\x00", "\xd2\x80\x00\x00\x00", "\xd3\x80\x00\x00\x00\x00\x00\x00\x00", // signed
		"\xca\x3f\x00\x00\x00", "\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", "\xcb\x43\xe0\x00\x00\x00\x00\x00\x00", // 0.5, infinite, 2^63
		"\xa2ab", "\xd9\x02ab", "\xda\x00\x02ab", "\xdb\x00\x00\x00\x02ab", // strings
		"\xc4\x0812345678", "\xc5\x00\x0812345678", "\xc6\x00\x00\x00\x0812345678", "\xc4\x07123456", // bytes
		"\x93\x01\xcc\x02\xa1c", "\xdc\x00\x02\xc0\x90", "\xdd\x00\x00\x00\x01\x81\x01\x02", "\xdd\xff\xff\xff\xff\x00", // arrays
		"\x81\xa1a\x01", "\xde\x00\x01\xa1a\x01", "\xdf\x00\x00\x00\x01\xa1a\x01", "\xdf\x80\x00\x00\x00\x00", // maps
		"\xd4\x01a", "\xd6\xff\x00\x00\x00\x00", "\xc7\x0c\xff123456789012", "\xc8\xff\xff\x01a", // extensions, times
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		end, skipError := Skip(b)
		check := func(rest []byte, err error) {
			require.True(t, bytes.HasSuffix(b, rest))
			if err == nil {
				require.NoError(t, skipError)
				require.Len(t, rest, len(end))
			}
		}
		_, rest, err := Float(b)
		check(rest, err)
		n, rest, err := Count(b)
		check(rest, err)
		require.True(t, err != nil || n >= 0)
		_, rest, err = Hash(b)
		check(rest, err)
		text, rest, err := Text(b)
		check(rest, err)
		require.LessOrEqual(t, len(text), len(b))
		_, rest, err = Key(b)
		check(rest, err)

		n2, named, _, structError := Struct(b)
		require.True(t, structError != nil || n2 <= len(b))
		size, rest, err := SkipArray(b)
		check(rest, err)
		if err == nil {
			require.False(t, named)
			assert.Equal(t, n2, size)
		} else if msgp.NextType(b) == msgp.ArrayType && structError == nil {
			require.Error(t, skipError, "msgp can pass over it")
		}
	})
}
