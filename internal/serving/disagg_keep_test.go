package serving

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// again is an adviser as it was kept and taken back.
func again(t *testing.T, a *Adviser) *Adviser {
	t.Helper()
	text, err := json.Marshal(a)
	require.NoError(t, err)
	var out Adviser
	require.NoError(t, json.Unmarshal(text, &out))
	return &out
}

func TestAnAdviserGoesOnWhereItEnded(t *testing.T) {
	now, better := Topology{Prefill: 2, Decode: 2}, Topology{Prefill: 3, Decode: 1}
	a := every{&Adviser{}, 1}
	a.See(0, now)
	for i := range int64(10) {
		a.consider(1+i, better, 0.99, 10, 15)
	}
	require.True(t, a.Stands())
	b := every{again(t, a.Adviser), 1}
	assert.Equal(t, a.Adviser, b.Adviser)
	b.Rest(3 * time.Minute)
	b.See(13*minute, now)
	assert.True(t, b.consider(14, better, 0.6, 10, 15), "a doubt does not withdraw it")

	b.See(15*minute, better)
	b = every{again(t, b.Adviser), 1}
	assert.Zero(t, b.Changes(), "sums begin anew")
	for i := int64(16); i < 30; i++ {
		require.False(t, b.consider(i, now, 0.99, 10, 15), "cooling down, minute %d", i)
	}
	assert.True(t, b.consider(30, now, 0.99, 10, 15))
}

func TestAPauseIsNoTimeForWhichSomethingLasted(t *testing.T) {
	now, better := Topology{Prefill: 2, Decode: 2}, Topology{Prefill: 3, Decode: 1}
	a := every{&Adviser{}, 1}
	a.See(0, now)
	for i := range int64(5) {
		require.False(t, a.consider(1+i, better, 0.99, 10, 15))
	}
	b := every{again(t, a.Adviser), 1}
	b.Rest(4 * time.Minute)
	for i := int64(10); i < 14; i++ {
		require.False(t, b.consider(i, better, 0.99, 10, 15), "minute %d", i)
	}
	assert.True(t, b.consider(14, better, 0.99, 10, 15))
}

func TestWhatNoAdviserConcludedIsRefused(t *testing.T) {
	const good = `{"Candidate":{"Prefill":3,"Decode":1},"Current":{"Prefill":1,"Decode":3},"Since":5,"ChangedAt":2,"Seen":7,"Likely":true,"Stands":true}`
	var a Adviser
	require.NoError(t, json.Unmarshal([]byte(good), &a))
	assert.True(t, a.Known())
	assert.Equal(t, int64(5), a.Latest())
	for _, damage := range [][2]string{
		{`"Prefill":3`, `"Prefill":-3`}, {`"Decode":3`, `"Decode":3000000`}, {`"Since":5`, `"Since":-5`}, {`"ChangedAt":2`, `"ChangedAt":-2`},
		{`"Seen":7`, `"Seen":2`}, {`"Seen":7`, `"Seen":1e99`}, {`"Likely":true`, `"Likely":false`}, {`{"Prefill":3,"Decode":1}`, `{}`},
		{`{"Prefill":3,"Decode":1}`, `{"Prefill":1,"Decode":3}`},
	} {
		damaged := strings.Replace(good, damage[0], damage[1], 1)
		require.NotEqual(t, good, damaged)
		b := Adviser{seen: 1}
		require.Error(t, json.Unmarshal([]byte(damaged), &b), damage)
		assert.Equal(t, Adviser{seen: 1}, b)
	}
}

func TestARecordGoesOn(t *testing.T) {
	r := ForecastRecord{held: []bool{true, false, false, false, false}, waiting: []claim{{at: 1}}}
	text, err := json.Marshal(r)
	require.NoError(t, err)
	var earlier, now ForecastRecord
	require.NoError(t, json.Unmarshal(text, &earlier))
	assert.True(t, earlier.Poor())
	assert.Empty(t, earlier.waiting, "what is measured after a pause is not what they were of")
	now.held = []bool{true}
	now.Follow(earlier)
	assert.Equal(t, []bool{true, false, false, false, false, true}, now.held)
	for range recordLength {
		now.Follow(earlier)
	}
	assert.Len(t, now.held, recordLength)
	require.Error(t, json.Unmarshal([]byte("[true"+strings.Repeat(",true", recordLength)+"]"), &now))
	require.Error(t, json.Unmarshal([]byte(`[1]`), &now))
}
