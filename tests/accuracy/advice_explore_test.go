package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	scenarios "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/scenario"
)

func TestExplore(t *testing.T) {
	for _, name := range strings.Split(os.Getenv("EXPLORE"), ",") {
		var over []scenarios.Override
		base, rest, _ := strings.Cut(name, ":")
		remedy := strings.HasSuffix(base, "+")
		base = strings.TrimSuffix(base, "+")
		for _, kv := range strings.Split(rest, ";") {
			if k, v, ok := strings.Cut(kv, "="); ok {
				over = append(over, scenarios.Override{Path: k, Value: v})
			}
		}
		s, err := scenarios.Load(base, scenarios.Options{Remedy: remedy, Overrides: over})
		require.NoError(t, err)
		began := time.Now()
		got, err := advise([]stage{{s, 8 * time.Minute, os.Getenv("PASSES") != ""}})
		require.NoError(t, err)
		t.Logf("== %s: verdicts %v (%.1fs)", name, len(got.verdicts), time.Since(began).Seconds())
		for _, e := range got.events {
			b, _ := json.Marshal(e.body)
			t.Logf("%v %s %s %s", e.at, e.name, e.rule, b)
		}
	}
}
