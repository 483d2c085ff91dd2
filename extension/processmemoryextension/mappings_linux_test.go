package processmemoryextension

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// smaps are parts of what Linux 6.18 says of a collector: fields that are not read are left out.
const smaps = `00400000-00412000 r--p 00000000 fe:00 1234                               /usr/bin/otelcol-inference
Size:                 72 kB
Rss:                  64 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me sd
00412000-051f9000 r-xp 00012000 fe:00 1234                               /usr/bin/otelcol-inference
Size:              79772 kB
Rss:               41216 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me sd
0a876000-0a877000 r--p 0a475000 fe:00 1234                               /usr/bin/otelcol-inference
Rss:                   4 kB
Anonymous:             4 kB
Swap:                  0 kB
0a877000-0aad3000 rw-p 0a476000 fe:00 1234                               /usr/bin/otelcol-inference
Rss:                2200 kB
Anonymous:             0 kB
Swap:                  0 kB
0aad3000-0cb45000 rw-p 00000000 00:00 0 
Rss:                 400 kB
Anonymous:           400 kB
Swap:                  0 kB
7fe304600000-7fe304700000 r--s 00000000 fe:00 99                         /usr/bin/otelcol-inference
Rss:                 512 kB
Anonymous:             0 kB
Swap:                  0 kB
7fe35c827000-7fe35c97d000 r-xp 00026000 fe:00 77                         /usr/lib/x86_64-linux-gnu/libc.so.6
Rss:                1300 kB
Anonymous:             0 kB
Swap:                  0 kB
7ffd3a5f2000-7ffd3a5f4000 r-xp 00000000 00:00 0                          [vdso]
Rss:                   4 kB
Anonymous:             0 kB
Swap:                  0 kB
`

// What the dynamic linker has filled in, what may be written, what others share, and what is of another file stays.
func TestOnlyWhatTheFileStillHasIsDroppable(t *testing.T) {
	got, err := droppable(strings.NewReader(smaps), "/usr/bin/otelcol-inference")
	require.NoError(t, err)
	assert.Equal(t, []mapping{
		{start: 0x400000, end: 0x412000, resident: 64 << 10},
		{start: 0x412000, end: 0x51f9000, resident: 41216 << 10},
	}, got)
}

// A page that was written is none of the file's, wherever it is, and where the kernel does not tell, nothing is known.
func TestWhatWasWrittenStays(t *testing.T) {
	const text = "00412000-051f9000 r-xp 00012000 fe:00 1234 /bin/a b (deleted)\n"
	for name, c := range map[string]struct {
		fields string
		want   int
	}{
		"a file that an upgrade has replaced":             {"Rss: 41216 kB\nAnonymous: 0 kB\nSwap: 0 kB\n", 1},
		"a breakpoint":                                    {"Rss: 41216 kB\nAnonymous: 4 kB\nSwap: 0 kB\n", 0},
		"swapped out, what the dynamic linker has filled": {"Rss: 41216 kB\nAnonymous: 0 kB\nSwap: 4 kB\n", 0},
		"not told what is its own":                        {"Rss: 41216 kB\nSwap: 0 kB\n", 0},
		"not told what is swapped out":                    {"Rss: 41216 kB\nAnonymous: 0 kB\n", 0},
		"emulated":                                        {"Rss: 0 kB\nAnonymous: 0 kB\nSwap: 0 kB\n", 0},
	} {
		got, err := droppable(strings.NewReader(text+c.fields), "/bin/a b (deleted)")
		require.NoError(t, err, name)
		assert.Len(t, got, c.want, name)
	}
}

func TestWhatIsNoSmapsIsAnError(t *testing.T) {
	for _, text := range []string{"hello\n", "g-h r-xp 0 fe:00 1 /bin/a\n", "1-h r-xp 0 fe:00 1 /bin/a\n", "1000-2000 r-xp 0 fe:00 1 /bin/a\nRss: many kB\n"} {
		_, err := droppable(strings.NewReader(text), "/bin/a")
		assert.Error(t, err, text)
	}
}

// This test gives back the pages of its own program, and goes on.
func TestTheProgramGoesOnWithoutItsPages(t *testing.T) {
	g, err := giveBack()
	require.NoError(t, err)
	assert.Positive(t, g.before)
	assert.Less(t, g.after, g.before)
	all, err := program()
	require.NoError(t, err)
	assert.NotEmpty(t, all)
	t.Logf("%d KiB resident before, %d KiB after", g.before>>10, g.after>>10)
}
