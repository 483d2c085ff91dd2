package owner

import (
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc"
)

func TestTheNumberAndStartOfAProcess(t *testing.T) {
	f := New(fstest.MapFS{
		"stat":     {Data: []byte("cpu 1 2\nbtime 1800000000\n")},
		"7/status": {Data: []byte("Name:\tx\nPid:\t7\nNSpid:\t7\t31\t1\n")},
		"8/status": {Data: []byte("NSpid:\n")},
	})
	assert.Equal(t, 1, f.InnerPID(7))
	assert.Equal(t, 8, f.InnerPID(8))
	assert.Equal(t, 9, f.InnerPID(9))
	assert.Equal(t, time.Unix(1_800_000_002, 5e8), f.Began(Process{Process: hostproc.Process{PID: 7, Start: 250}}))
	assert.Zero(t, New(fstest.MapFS{}).Began(Process{}))
}

func TestTheOwnStart(t *testing.T) {
	f := New(os.DirFS("/proc"))
	p, err := f.describe(os.Getpid())
	require.NoError(t, err)
	age := time.Since(f.Began(p))
	assert.True(t, age > -2*time.Second && age < time.Hour, age)
}
