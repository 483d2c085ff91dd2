package rig

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMemoryThatCannotBeWrittenIsNamedWithItsCure(t *testing.T) {
	s := &Skew{memory: filepath.Join(t.TempDir(), "mem")}
	err := s.write([]byte{1}, 16)
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "proc_mem.force_override=always")
	assert.ErrorContains(t, err, s.memory+" at 0x10")
}
