//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// startScript is what the unit, the image and `make run` start.
func startScript(t *testing.T) string { return shipped(t, "packaging", "start.sh") }

// With OTEL_EXPORTER_OTLP_ENDPOINT set, all that the zero configuration finds arrives there: by each protocol, with the headers, and after
// a time in which nobody listened.
func TestZeroConfigurationSendsByOTLP(t *testing.T) {
	for protocol, listener := range map[string]string{"grpc": "grpc", "": "http"} {
		t.Run("protocol "+protocol, func(t *testing.T) {
			backend, dir := freeAddress(t), t.TempDir()
			points := filepath.Join(dir, "points.jsonl")
			config := filepath.Join(dir, "backend.yaml")
			// A batch without the header is refused by its sender's own credentials.
			require.NoError(t, os.WriteFile(config, []byte(fmt.Sprintf(`
extensions: {bearertokenauth: {token: "it's=b,c"}}
receivers: {otlp: {protocols: {%s: {endpoint: %q, auth: {authenticator: bearertokenauth}}}}}
exporters: {file: {path: %q, flush_interval: 200ms}}
service:
  extensions: [bearertokenauth]
  telemetry: {metrics: {level: none}}
  pipelines: {metrics: {receivers: [otlp], exporters: [file]}, logs: {receivers: [otlp], exporters: [file]}}
`, listener, backend, points)), 0o600))

			vllm := faked()["vllm"]
			engine := startFakeEngine(t, 0, vllm.command, vllm.path, vllm.page)
			env := []string{
				"OTELCOL_BINARY=" + collector(t), "OTELCOL_CONFIG_DIR=" + shipped(t), "STATE_DIRECTORY=" + filepath.Join(dir, "state"),
				"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + backend, "OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20it's%3Db%2Cc,x-more=1",
			}
			if protocol != "" {
				env = append(env, "OTEL_EXPORTER_OTLP_PROTOCOL="+protocol)
			}
			page := freeAddress(t)
			agent := start(t, env, startScript(t), "--set=exporters::inference_dashboard::endpoint="+page, "--set=exporters::prometheus::endpoint="+freeAddress(t),
				"--set=extensions::health_check::endpoint="+freeAddress(t), "--set=extensions::host_observer::refresh_interval=1s",
				"--set=service::telemetry::metrics::level=none")
			require.Eventually(t, func() bool { _, ok := fetch("http://"+page+"/healthz", ""); return ok }, patience, 200*time.Millisecond)
			require.Eventually(t, func() bool { return engine.asked() >= 2 }, patience, 200*time.Millisecond)

			start(t, nil, collector(t), "--config", config)
			require.Eventually(t, func() bool {
				w := seenFile(t, points)[engine.instance()]
				return w != nil && w.up == 1
			}, patience, 200*time.Millisecond, "what was read before the backend came is sent when it came")
			assert.DirExists(t, filepath.Join(dir, "state", "otlp"))
			assert.NotContains(t, agent.Output(), "it's=b,c", "credentials are not logged")
		})
	}
}

// A wrong protocol is refused with key, bound and value.
func TestWrongOTLPProtocolIsRefused(t *testing.T) {
	p := start(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:1", "OTEL_EXPORTER_OTLP_PROTOCOL=http/json", "OTELCOL_BINARY=" + collector(t)},
		startScript(t))
	assert.Equal(t, 2, p.Wait(t))
	assert.Contains(t, p.Output(), `OTEL_EXPORTER_OTLP_PROTOCOL must be grpc or http/protobuf (got "http/json")`)
}

// Headers are decoded whole, whatever is in their values; one that cannot be meant is refused by its place, for its value may be a secret.
func TestOTLPHeaders(t *testing.T) {
	show := filepath.Join(t.TempDir(), "show")
	require.NoError(t, os.WriteFile(show, []byte("#!/bin/sh\nprintf %s \"$OTELCOL_OTLP_HEADERS\"\n"), 0o755))
	try := func(headers string) (said string, code int) {
		p := start(t, []string{
			"OTELCOL_BINARY=" + show, "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318", "OTEL_EXPORTER_OTLP_HEADERS=" + headers,
			"STATE_DIRECTORY=" + t.TempDir(), "OTELCOL_RESERVE_KIB=1",
		}, startScript(t))
		code = p.Wait(t)
		return p.Output(), code
	}
	for headers, want := range map[string]map[string]string{
		"":                              {},
		"a=1, b = 2 ,":                  {"a": "1", "b": "2"},
		"Authorization=Basic dXNlcg==":  {"Authorization": "Basic dXNlcg=="},
		"api-key=a%3Ab%40c%27d%25":      {"api-key": "a:b@c'd%"},
		"a=it's=b'c,b=%E2%82%AC&\\n%5C": {"a": "it's=b'c", "b": "€&\\n\\"},
		"a=%zz%4,b=":                    {"a": "%zz%4", "b": ""},
		"a=b%24c$d":                     {"a": "b$$c$$d"}, // which the collector reads as one each
	} {
		said, code := try(headers)
		assert.Zero(t, code, said)
		got := map[string]string{}
		require.NoError(t, yaml.Unmarshal([]byte(said), &got), said)
		assert.Equal(t, want, got, headers)
	}
	said, code := try("a=1,s3cret")
	assert.Equal(t, 2, code)
	assert.Contains(t, said, `OTEL_EXPORTER_OTLP_HEADERS: no "=" in header 2 of 2`)
	assert.NotContains(t, said, "s3cret")
}

// What the user says himself goes through untouched.
func TestStartScriptGivesWay(t *testing.T) {
	for _, args := range [][]string{{"--config", "mine.yaml"}, {"--config=mine.yaml"}, {"components"}, {"--version"}} {
		echo := filepath.Join(t.TempDir(), "echo")
		require.NoError(t, os.WriteFile(echo, []byte("#!/bin/sh\nfor a; do echo \"<$a>\"; done\n"), 0o755))
		p := start(t, []string{"OTELCOL_BINARY=" + echo, "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318"}, startScript(t), args...)
		p.Wait(t)
		want := ""
		for _, a := range args {
			want += "<" + a + ">\n"
		}
		assert.Equal(t, want, p.Output())
	}
}
