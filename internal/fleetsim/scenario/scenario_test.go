package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/internal/fleetsim"
)

func TestReadyScenariosAreWhole(t *testing.T) {
	require.NotEmpty(t, Names())
	for _, name := range Names() {
		s, err := Load(name, Options{})
		require.NoError(t, err, name)
		assert.Equal(t, name, s.Name)
		assert.NotEmpty(t, s.Description, name)
		f, err := fleetsim.New(s.Fleet)
		require.NoError(t, err, name)
		require.NoError(t, f.Advance(20*time.Second), name)
		assert.Positive(t, f.Truth().FinishedRequests, name)
		require.NoError(t, f.Close())
	}
}

// write makes a scenario file.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestPoolsHaveDefaultsOfTheirOwn(t *testing.T) {
	s, err := Load(write(t, `
name: x
seed: 7
pools:
  - {role: prefill, workers: 2, kv_blocks: 20000, replicas: [{speed: 0.5}]}
  - {role: decode, name: d, gpu: h100, max_num_batched_tokens: 512}
link: {hiccups: {stall: 10ms, chance: 0.02}}
workload: {mix: [{custom: {requests_per_second: 2, prompt_tokens: [[0, 10], [1, 20]], output_tokens: [[0, 1], [1, 2]]}}, {bursts: {of: {synthetic: {}}, every: 10s, for: 1s}}]}
faults:
  - {at: 20s, load: {factor: 2}, for: 5s}
  - {at: 10s, restart: {worker: 2, downtime: 3s}}
`), Options{Overrides: []Override{{"pools[0].workers", "3"}, {"handoff.lease", "30s"}}})
	require.NoError(t, err)
	want := fleetsim.DefaultPool()
	want.Name, want.Role, want.Workers, want.KVBlocks, want.Replicas = "prefill", fleetsim.Prefill, 3, 20000, []fleetsim.Replica{{Speed: 0.5}}
	assert.Equal(t, want, s.Fleet.Pools[0])
	assert.Equal(t, "d", s.Fleet.Pools[1].Name)
	assert.Equal(t, "h100", s.Fleet.Pools[1].GPU)
	assert.Equal(t, uint64(7), s.Fleet.Seed)
	assert.Equal(t, 30*time.Second, s.Fleet.Handoff.Lease)
	assert.Equal(t, 10*time.Millisecond, s.Fleet.Link.Hiccups.Stall)
	assert.Equal(t, fleetsim.DefaultLink().Bandwidth, s.Fleet.Link.Bandwidth)
	assert.Equal(t, 10*time.Second, s.Faults[0].At, "in order of time")
	mix, ok := s.Fleet.Workload.(fleetsim.Mix)
	require.True(t, ok)
	assert.Equal(t, float64(4), mix[1].(fleetsim.Bursts).Of.(fleetsim.Synthetic).Load)
}

func TestErrorsNameFilePathAndValue(t *testing.T) {
	for text, wants := range map[string][]string{
		"pools: [{workers: two}]":                                {`s.yaml: pools[0].workers: must be a whole number, is "two"`},
		"pools: [{}, {role: x, wrkers: 1}]":                      {"s.yaml: pools[1]: unknown keys: wrkers"},
		"link: {latency: 3}":                                     {"s.yaml: link.latency: must be a duration such as 500ms, is 3"},
		"workload: {synthetic: {}, trace: {}}":                   {"s.yaml: workload: must have one kind of traffic, has synthetic, trace"},
		"faults: [{at: 1s}]":                                     {"s.yaml: faults[0]: must be one kind, is 0"},
		"faults: [{restart: {worker: 5}}]":                       {"s.yaml: faults[0].restart.worker: must be from 0 to 0, is 5"},
		"faults: [{load: {factor: -2}, for: 1s}]":                {"s.yaml: faults[0].load.factor: must be above 0 and at most 1000, is -2"},
		"faults: [{restart: {}, for: 2s}]":                       {"for: must not be set, restart happens once; is 2s"},
		"protocols: {nixl: {layout: 9}}":                         {"protocols.nixl.dir: must be set", "s.yaml: protocols.nixl.layout: must be from 1 to 5, is 9"},
		"protocols: {kv_events: {form: xml, port: 1000000}}":     {"protocols.kv_events.port: must be from 0 to 65535, is 1000000", `form: must be one of ["map" "array" "map_batch"], is "xml"`},
		"pools: [{workers: -2}]":                                 {"s.yaml: pools[0].workers: must be at least 1, is -2"},
		"pools: [{workers: 2000000000}]":                         {"s.yaml: pools[0].workers: must be at most 10000, is 2000000000"},
		"pools: [{workers: 1.5}]":                                {"s.yaml: pools[0].workers: must be a whole number, is 1.5"},
		"seed: 99999999999999999999":                             {"s.yaml: seed: must be a whole number, is "},
		"pools: [{role: foo}]":                                   {`s.yaml: pools[0].role: must be aggregated, prefill or decode, is "foo"`},
		"name: x\n---\nname: y":                                  {"s.yaml: must be one document, there is more behind it"},
		"hello":                                                  {`s.yaml: must be a map of keys, is "hello"`},
		"faults: [{xid: {gpu: 0}}]":                              {"s.yaml: faults[0].xid: unknown keys: gpu; known: device, xid"},
		"faults: [{clock_skew: {}}]":                             {"s.yaml: faults[0].clock_skew.delay: must be set"},
		"faults: [{gpu: {}}]":                                    {"s.yaml: faults[0].gpu: must have a result, a delay or hang"},
		"faults: [{scrape_truncate: {}}]":                        {"s.yaml: faults[0].scrape_truncate.share: must be above 0 and at most 1, is 0"},
		"faults: [{hiccups: {}}]":                                {"s.yaml: faults[0].hiccups: must have a stall, and a chance or per_second"},
		"pools: []":                                              {"s.yaml: pools: must be at least 1, are 0"},
		"pools: [{kv_blocks: 9}]":                                {"s.yaml: pools[0].kv_blocks: must be at least 8193 for max_model_tokens 131072, is 9"},
		"pools: [{gpu: x}]":                                      {`s.yaml: pools[0].gpu: unknown value "x"`},
		"router: x":                                              {`s.yaml: router: must be round_robin`},
		"workload: {custom: {requests_per_second: -1}}":          {"s.yaml: workload.custom.requests_per_second: must be above 0 and below 1e6, is -1"},
		"workload: {trace: {path: none.csv}}":                    {"s.yaml: workload.trace.path: open "},
		"workload: {mix: [{custom: {requests_per_second: -1}}]}": {"s.yaml: workload.mix[0].custom.requests_per_second: must be above 0"},
		"faults: [{hiccups: {stall: 1ms, chance: 2}}]":           {"s.yaml: faults[0].hiccups.chance: must be from 0 to 1, is 2"},
		"faults: [{tcp_fallback: {pairs: 3}}]":                   {"s.yaml: faults[0].fallback.pairs: must be from 0 to 1, is 3"},
		`faults: [{version: {version: "99"}}]`:                   {`s.yaml: faults[0].version.version: got "99", known are the releases from 0.6`},
		"faults: [{xid: {xid: 79}}]":                             {"s.yaml: faults[0].xid: needs protocols.nvml"},
		"faults: [{event_drop: {count: 1}}]":                     {"s.yaml: faults[0].event_drop: needs protocols.kv_events or protocols.forward_passes"},
		"faults: [{agent_death: {}}]":                            {"s.yaml: faults[0].agent_death: needs protocols.nixl"},
		"faults: [{scrape_delay: {delay: -1s}}]":                 {"s.yaml: faults[0].scrape_delay.delay: must be at least 0s, is -1s"},
		"faults: [{at: 1s, for: 9s, load: {factor: 2}}, {at: 5s, load: {factor: 3}}]": {
			"s.yaml: faults[1].at: must be after the end of faults[0], which is load too, is 5s"},
		"protocols: {nixl: {dir: x, capacity: -1}}": {"protocols.nixl.capacity: must be at least 0, is -1"},
		"remedy: {router: random}":                  {"remedy and improves: must both be set or neither"},
		"remedy: {router: random}\nimproves: luck":  {`improves: must be one of expired_leases, `, `is "luck"`},
		"duration: -1s":                             {"s.yaml: duration: must be at least 0s, is -1s"},
		"name: [":                                   {"s.yaml: yaml: line 1"},
		"":                                          {"s.yaml: there is nothing in it"},
	} {
		_, err := Load(write(t, text), Options{})
		for _, want := range wants {
			if assert.Error(t, err, text) {
				assert.Contains(t, err.Error(), want)
			}
		}
	}
	_, err := Load("no-such", Options{})
	assert.ErrorContains(t, err, `scenario: unknown name "no-such"; known: `)
	_, err = Load(filepath.Join(t.TempDir(), "none.yaml"), Options{})
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = Load(write(t, "name: x"), Options{Remedy: true})
	assert.ErrorContains(t, err, "remedy: the scenario has none")
	assert.Contains(t, strings.Join(FaultKinds(), " "), "tcp_fallback")
}
