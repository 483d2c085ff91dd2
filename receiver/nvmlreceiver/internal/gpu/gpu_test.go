package gpu

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEachQuestionNamesItsFunction(t *testing.T) {
	for q := range Questions {
		assert.True(t, strings.HasPrefix(q.String(), "nvml") && len(q.String()) > len("nvml"), "question %d is %q", q, q)
	}
}

func TestErrors(t *testing.T) {
	lost := fmt.Errorf("GPU 3: %w", &Error{Function: "nvmlDeviceGetName", Code: GPULost})
	assert.Equal(t, GPULost, CodeOf(lost))
	assert.ErrorIs(t, lost, GPULost)
	assert.EqualError(t, lost, "GPU 3: nvmlDeviceGetName: the GPU is lost: it fell off the bus or cannot be reached")
	assert.EqualError(t, &Error{Function: "dlopen", Code: LibraryNotFound, Detail: "no such file"},
		"dlopen: the NVML library cannot be loaded: no such file")
	assert.Equal(t, OK, CodeOf(nil))
	assert.Equal(t, Unknown, CodeOf(errors.New("not of NVML")))
	seen := map[string]Code{}
	for code := range Code(31) {
		before, twice := seen[code.Error()]
		assert.False(t, twice, "codes %d and %d are both %q", before, code, code.Error())
		seen[code.Error()] = code
	}
}
