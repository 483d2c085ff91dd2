package advice

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// Encoders and routers serve neither phase: beside them a fleet is as split as without.
func TestAFleetIsSplitWhateverStandsBesideIt(t *testing.T) {
	fleet := func(roles ...string) *Reading {
		r := &Reading{state: &state{}}
		for _, role := range roles {
			r.Members = append(r.Members, &Reading{state: &state{Identity: Identity{Ref: Ref{Kind: Worker}, Facts: map[string]string{signal.AttrRole: role}}}})
		}
		return r
	}
	assert.True(t, fleet(signal.RolePrefill, signal.RoleDecode).disaggregated())
	assert.True(t, fleet(signal.RolePrefill, signal.RoleDecode, signal.RoleEncode, signal.RoleRouter).disaggregated())
	assert.False(t, fleet(signal.RolePrefill, signal.RoleDecode, signal.RoleAggregated).disaggregated())
	assert.False(t, fleet(signal.RolePrefill, signal.RoleDecode, "").disaggregated())
	assert.False(t, fleet(signal.RolePrefill, signal.RoleEncode).disaggregated())
}
