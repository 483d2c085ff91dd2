package disaggregationprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/derive"
	"github.com/otelcol-inference/otelcol-inference/internal/serving"
)

// An encoder in the fleet is neither a worker whose role nobody knows nor one that is missing.
func TestAnEncoderIsOfNoSide(t *testing.T) {
	f := newFleet("chat", "test", testConfig(), nil, workerInputs(), "m", func(string) float64 { return 0 })
	f.closed = int64(time.Hour)
	join := func(instance string, told role, covered int64) {
		f.members[derive.WorkerID{Instance: instance}] = &member{told: told, covered: covered}
	}
	join("p", rolePrefill, f.closed)
	join("d", roleDecode, f.closed)
	join("e", roleOther, 0)
	observed, expected := f.coverage()
	assert.Equal(t, []int{2, 2}, []int{observed, expected})
	_, why := f.situation(f.topology())
	assert.Equal(t, serving.WithheldWarmUp, why, "it is of the costs, which are not known yet")

	f.watch(f.closed)
	join("d2", roleDecode, f.closed)
	f.watch(f.closed)
	assert.Equal(t, 1, f.adviser.Changes())

	join("u", roleUnknown, f.closed)
	_, why = f.situation(f.topology())
	assert.Equal(t, withheldRoles, why)
}
