package advice

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheImbalanceOfWorkersIsNoRatioOfPressures(t *testing.T) {
	b := balance{imbalance: some(0.7), basis: BasisWorkers}
	assert.Equal(t, "More capacity for prefill would bring more than for decode. ", pressure("prefill", "decode", b))
	b.basis = BasisPools
	assert.Equal(t, "The pressure on prefill is 2 times that on decode. ", pressure("prefill", "decode", b))
}
