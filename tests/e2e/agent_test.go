//go:build linux

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An agent finds the engines of its host without being told, and what they say travels with the host's fleet.
func TestAgentsFindTheEnginesOfTheirHost(t *testing.T) {
	overlay, points := observing(t, "host_observer: {refresh_interval: 1s}", "", "")
	start(t, []string{"FLEET=chat", "STATE_DIRECTORY=" + t.TempDir()}, collector(t), "--config", shipped(t, "agent.yaml"), "--config", overlay)

	vllm := faked()["vllm"]
	engine := startFakeEngine(t, 0, vllm.command, vllm.path, vllm.page)
	require.Eventually(t, func() bool {
		w := seenFile(t, points)[engine.instance()]
		return w != nil && w.up == 1 && w.engine == "vllm" && w.fleet == "chat"
	}, patience, 200*time.Millisecond)
}

// The rules are those of the zero configuration, all of which TestEnginesOnTheHostComeAndGo tries.
func TestAgentsOfAHostDiscoverAsConfigYAML(t *testing.T) {
	agent, alone := load(t, "agent.yaml"), load(t, "config.yaml")
	part := func(of map[string]any, kind, name string) any { return of[kind].(map[string]any)[name] }
	assert.NotEmpty(t, part(alone, "receivers", "receiver_creator"))
	assert.Equal(t, part(alone, "receivers", "receiver_creator"), part(agent, "receivers", "receiver_creator/host"))
	assert.Equal(t, part(alone, "extensions", "host_observer"), part(agent, "extensions", "host_observer"))
}
