package advice

import (
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

func TestTextsAreKeptOnceAndNotWithoutEnd(t *testing.T) {
	known := texts{}
	batch := "prefill,prefill," + strings.Repeat("x", 2*maxKeptText)
	one, two := known.one(batch[:7]), known.one(batch[8:15])
	assert.Equal(t, "prefill", one)
	assert.Same(t, unsafe.StringData(one), unsafe.StringData(two))
	assert.NotSame(t, unsafe.StringData(batch), unsafe.StringData(one), "the batch is let go")
	assert.Len(t, known.one(batch[16:]), 2*maxKeptText)
	assert.Len(t, known, 1, "what is long is not kept")
	for i := range 2 * maxTexts {
		assert.Equal(t, strconv.Itoa(i), known.one(strconv.Itoa(i)))
	}
	assert.Len(t, known, maxTexts)
}
