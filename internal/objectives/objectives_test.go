package objectives

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestForTakesTheFirstMatch(t *testing.T) {
	c := Config{
		{Match: Match{Model: "meta-llama/*-70B"}, TTFT: Bound{Quantile: 0.99, Max: time.Second}},
		{Match: Match{Fleet: "chat-?"}, ITL: Bound{Max: 40 * time.Millisecond}},
	}
	got := c.For("meta-llama/Llama-3-70B", "chat-1")
	assert.Equal(t, Bound{Quantile: 0.99, Max: time.Second}, got.TTFT)
	assert.False(t, got.TTFTImplied)
	assert.True(t, got.ITLImplied, "the first match applies alone")

	got = c.For("qwen", "chat-1")
	assert.Equal(t, Bound{Quantile: 0.9, Max: 40 * time.Millisecond}, got.ITL)
	assert.True(t, got.TTFTImplied)

	got = c.For("qwen", "chat-10")
	assert.True(t, got.TTFTImplied && got.ITLImplied)
	assert.Equal(t, 500*time.Millisecond, got.TTFT.Max)
}

func TestValidateNamesKeyBoundAndValue(t *testing.T) {
	c := Config{
		{TTFT: Bound{Quantile: 1.5, Max: time.Second}},
		{ITL: Bound{Max: -time.Second}},
		{},
	}
	assert.EqualError(t, c.Check(), "objectives[0].ttft.quantile must be between 0 and 1 (got 1.5)\n"+
		"objectives[1].itl.max must be positive (got -1s)\n"+
		"objectives[2]: needs ttft or itl (got neither)")
	assert.NoError(t, Config(nil).Check())
}

func TestPrices(t *testing.T) {
	p := Prices{{GPU: "*H200*", PerHour: 3.5, Currency: "USD"}, {PerHour: 2, Currency: "USD"}}
	require.NoError(t, p.Check())
	got, ok := p.For("", "NVIDIA H200")
	assert.True(t, ok)
	assert.Equal(t, 3.5, got.PerHour)
	got, ok = p.For("NVIDIA A100")
	assert.True(t, ok)
	assert.Equal(t, 2.0, got.PerHour)
	_, ok = Prices(nil).For("NVIDIA A100")
	assert.False(t, ok)
	assert.EqualError(t, Prices{{PerHour: -1, Currency: "USD"}, {PerHour: 1}}.Check(),
		"prices[0].per_hour must not be negative (got -1)\n"+
			"prices[1].currency must be set (got \"\")\n"+
			"prices[1].currency must be \"USD\" as in prices[0] (got \"\")")
}
