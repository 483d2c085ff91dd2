package phaseattributionprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSlicesOfADevice(t *testing.T) {
	for name, want := range map[string]float64{
		"NVIDIA H100 80GB HBM3 MIG 3g.40gb":    3,
		"NVIDIA H100 80GB HBM3 MIG 1g.10gb+me": 1,
		"NVIDIA A100-SXM4-40GB MIG 1c.3g.20gb": 1,
		"NVIDIA A100-SXM4-40GB MIG 7g.40gb":    7,
		"something else":                       1,
	} {
		assert.Equal(t, want, slicesOf(name), name)
	}
	assert.Equal(t, 4.0, allSlices("NVIDIA A30"))
	assert.Equal(t, 7.0, allSlices("NVIDIA A300"))
}

func TestACounterThatIsFollowed(t *testing.T) {
	gap := 60 * second
	var c counted
	for _, step := range []struct {
		name      string
		start, at int64
		value     float64
		want      increase
		ok        bool
	}{
		{"first", 1, 10 * second, 100, increase{}, true},
		{"more", 1, 20 * second, 150, increase{from: 10 * second, at: 20 * second, amount: 50}, true},
		{"late", 1, 20 * second, 160, increase{}, false},
		{"began anew", 22 * second, 30 * second, 30, increase{from: 22 * second, at: 30 * second, amount: 30}, true},
		{"fell", 22 * second, 40 * second, 5, increase{from: 30 * second, at: 40 * second, amount: 5}, true},
		{"gap", 22 * second, 200 * second, 500, increase{}, true},
	} {
		got, ok := c.next(step.start, step.at, step.value, false, gap)
		assert.Equal(t, step.ok, ok, step.name)
		assert.Equal(t, step.want, got, step.name)
	}
}

func TestWhoseProcessItIs(t *testing.T) {
	worker := func(container, pod string, pid int64, pids ...int64) *identity {
		i := &identity{container: container, pod: pod, pid: pid}
		if pids != nil {
			i.pids.Store(&pids)
		}
		return i
	}
	p := &process{pid: 7, container: "c", pod: "p"}
	assert.True(t, worker("", "p", 0).owns(p))
	assert.False(t, worker("other", "p", 0).owns(p), "another container of the pod")
	assert.True(t, worker("c", "", 0).owns(p))
	assert.False(t, worker("c", "p", 8).owns(p))
	assert.True(t, worker("", "", 0, 6, 7).owns(p))
	assert.False(t, worker("c", "p", 0, 6).owns(p))
	assert.False(t, worker("", "", 0).known())
}
