package bounds

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestErrorsNameKeyBoundAndValue(t *testing.T) {
	assert.NoError(t, Within("window", time.Second, time.Second, time.Minute))
	assert.EqualError(t, Within("window", 2*time.Minute, time.Second, time.Minute), "window must be between 1s and 1m0s (got 2m0s)")
	assert.EqualError(t, Within("max_workers", 0, 1, 1_000_000), "max_workers must be between 1 and 1000000 (got 0)")
	assert.EqualError(t, Within("share", math.NaN(), 0, 1), "share must be between 0 and 1 (got NaN)")
	assert.NoError(t, AtLeast("delay", time.Duration(0), 0))
	assert.EqualError(t, AtLeast("delay", -time.Second, 0), "delay must be at least 0s (got -1s)")
	assert.EqualError(t, AtLeast("share", math.NaN(), 0), "share must be at least 0 (got NaN)")
	assert.NoError(t, OneOf("mode", "auto", "auto", "consume"))
	assert.EqualError(t, OneOf("mode", "", "auto", "consume"), `mode must be one of auto, consume (got "")`)
}
