package llmenginereceiver

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/expr-lang/expr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

// template is one receiver of receiver_creator.
type template struct {
	rule   string
	config map[string]any
}

func templates(t *testing.T, file string) map[string]template {
	t.Helper()
	conf, err := confmaptest.LoadConf(filepath.Join("..", "..", "distributions", "otelcol-inference", file))
	require.NoError(t, err)
	creator, err := conf.Sub("receivers::receiver_creator::receivers")
	require.NoError(t, err)
	all := make(map[string]template)
	for name, v := range creator.ToStringMap() {
		m := v.(map[string]any)
		all[name] = template{m["rule"].(string), m["config"].(map[string]any)}
	}
	require.NotEmpty(t, all)
	return all
}

// matching returns the templates whose rules an endpoint fulfils, evaluated as receiver_creator does.
func matching(t *testing.T, all map[string]template, env map[string]any) (names []string) {
	t.Helper()
	for name, tmpl := range all {
		program, err := expr.Compile(tmpl.rule, expr.DisableBuiltin("type"))
		require.NoError(t, err, name)
		got, err := expr.Run(program, env)
		require.NoError(t, err, name)
		if got.(bool) {
			names = append(names, name)
		}
	}
	return names
}

// expanded fills the backticks of a template's configuration in, and loads it.
func expanded(t *testing.T, tmpl template, env map[string]any) *Config {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(expandedMap(t, tmpl.config, env)).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	return cfg
}

func expandedMap(t *testing.T, config, env map[string]any) map[string]any {
	t.Helper()
	values := make(map[string]any)
	for key, v := range config {
		switch v := v.(type) {
		case map[string]any:
			values[key] = expandedMap(t, v, env)
		case string:
			parts := strings.Split(v, "`")
			for i := 1; i < len(parts); i += 2 {
				got, err := expr.Eval(parts[i], env)
				require.NoError(t, err, parts[i])
				parts[i] = fmt.Sprint(got)
			}
			values[key] = strings.Join(parts, "")
		default:
			values[key] = v
		}
	}
	return values
}

func TestDiscoveryOnAHost(t *testing.T) {
	all := templates(t, "config.yaml")
	assert.Len(t, launches(), len(all), "what report_unseen knows, and what the rules know")
	for _, tt := range []struct {
		command string
		port    uint16
		want    string // of llm_engine/
		url     string
	}{
		{"/usr/bin/python3 /usr/local/bin/vllm serve Qwen/Qwen3-8B --port 9000", 9000, "vllm", "http://127.0.0.1:9000/metrics"},
		{"python -m vllm.entrypoints.openai.api_server --model m", 8000, "vllm", "http://127.0.0.1:8000/metrics"},
		{"vllm serve m --port=9000 --kv-events-config {}", 9000, "vllm", "http://127.0.0.1:9000/metrics"},
		{"vllm serve m", 8000, "vllm", "http://127.0.0.1:8000/metrics"},
		{"vllm serve m", 5557, "", ""},
		{"vllm serve m --port 9000", 8000, "", ""},
		{"vllm serve m --port 9000", 900, "", ""},
		{"vllm serve m --data-parallel-size 2 --data-parallel-rpc-port 13345", 13345, "", ""},
		{"vllm serve m --data-parallel-size 2 --data-parallel-rpc-port 13345", 8000, "vllm", "http://127.0.0.1:8000/metrics"},
		{"python -m vllm.entrypoints.openai.api_server --model m --port 9000", 46001, "", ""},
		{"python -m sglang.launch_server --model m --enable-metrics --port 30001", 30001, "sglang", "http://127.0.0.1:30001/metrics"},
		{"python -m sglang.launch_server --model m --enable-metrics", 30000, "sglang", "http://127.0.0.1:30000/metrics"},
		{"python -m sglang.launch_server --model m --enable-metrics", 41234, "", ""},
		{"python -m sglang.launch_server --model m", 30000, "", ""},
		{"sglang serve --enable-metrics --port=1234", 1234, "sglang", "http://127.0.0.1:1234/metrics"},
		{"python3 /usr/local/bin/trtllm-serve serve m --port 8123", 8123, "trtllm", "http://127.0.0.1:8123/prometheus/metrics"},
		{"python3 /usr/local/bin/trtllm-serve serve m --port 8123", 45000, "", ""},
		{"python3 -m dynamo.frontend --http-port 8080", 8080, "dynamo_frontend", "http://127.0.0.1:8080/metrics"},
		{"python3 -m dynamo.vllm --model m", 8081, "dynamo_worker", "http://127.0.0.1:8081/metrics"},
		{"python3 -m dynamo.vllm --model m", 5557, "", ""},
		{"text-generation-router --max-total-tokens 2048 --port 80", 80, "tgi", "http://127.0.0.1:80/metrics"},
		{"/usr/local/bin/llama-server -m m.gguf --metrics", 8080, "llama_cpp", "http://127.0.0.1:8080/metrics"},
		{"/usr/local/bin/llama-server -m m.gguf", 8080, "", ""},
		{"python /usr/bin/lmdeploy serve api_server m --server-port 23334", 23334, "lmdeploy", "http://127.0.0.1:23334/metrics"},
		{"tritonserver --model-repository=/models", 8002, "triton", "http://127.0.0.1:8002/metrics"},
		{"tritonserver --model-repository=/models", 8000, "", ""},
		{"vllm-router --port 8001", 8001, "vllm_router", "http://127.0.0.1:8001/metrics"},
		{"python -m sglang_router.launch_router --port 30000", 29000, "sglang_router", "http://127.0.0.1:29000/metrics"},
		{"mooncake_master --metrics_port=9004", 9004, "mooncake", "http://127.0.0.1:9004/metrics"},
		{"/usr/sbin/nginx -g daemon", 80, "", ""},
		{"postgres: checkpointer", 5432, "", ""},
		{"", 8000, "", ""},
	} {
		env := map[string]any{
			"type": "hostport", "command": tt.command, "process_name": "x", "port": tt.port, "is_ipv6": false, "transport": "TCP", "os": "linux",
			"endpoint": fmt.Sprintf("127.0.0.1:%d", tt.port), "host": "127.0.0.1",
		}
		names := matching(t, all, env)
		assert.Equal(t, tt.want != "", served(tt.command, int(tt.port)), "launches: %s on port %d", tt.command, tt.port)
		if tt.want == "" {
			assert.Empty(t, names, "%s on port %d", tt.command, tt.port)
			continue
		}
		if assert.Equal(t, []string{"llm_engine/" + tt.want}, names, tt.command) {
			u, err := parseEndpoint(expanded(t, all[names[0]], env).ClientConfig.Endpoint)
			require.NoError(t, err)
			assert.Equal(t, tt.url, u.String())
		}
	}
}

func TestDiscoveryOnKubernetes(t *testing.T) {
	all := templates(t, "kubernetes.yaml")
	pod := func(annotations, labels map[string]string) map[string]any {
		return map[string]any{"name": "p", "uid": "u", "namespace": "n", "annotations": annotations, "labels": labels}
	}
	atPod := func(annotations, labels map[string]string) map[string]any {
		env := pod(annotations, labels)
		env["type"], env["endpoint"], env["host"] = "pod", "10.1.2.3", "10.1.2.3"
		return env
	}
	atPort := func(name string, annotations, labels map[string]string) map[string]any {
		return map[string]any{
			"type": "port", "endpoint": "10.1.2.3:8200", "host": "10.1.2.3", "port": uint16(8200), "name": name, "transport": "TCP",
			"pod": pod(annotations, labels),
		}
	}
	scrape := map[string]string{"otelcol-inference/scrape": "true"}
	full := map[string]string{
		"otelcol-inference/scrape": "true", "otelcol-inference/port": "9000", "otelcol-inference/path": "/prometheus/metrics", "otelcol-inference/role": "prefill",
	}
	decode, both := map[string]string{"llm-d.ai/role": "decode"}, map[string]string{"llm-d.ai/role": "both"}
	for _, tt := range []struct {
		env             map[string]any
		want, url, role string
	}{
		{atPod(scrape, nil), "annotated", "http://10.1.2.3:8000/metrics", ""},
		{atPod(scrape, decode), "annotated", "http://10.1.2.3:8000/metrics", "decode"},
		{atPod(full, decode), "annotated", "http://10.1.2.3:9000/prometheus/metrics", "prefill"},
		{atPod(nil, decode), "", "", ""},
		{atPort("metrics", nil, decode), "llm_d", "http://10.1.2.3:8200/metrics", "decode"},
		{atPort("vllm", nil, both), "llm_d", "http://10.1.2.3:8200/metrics", ""},
		{atPort("http", nil, decode), "", "", ""},
		{atPort("metrics", nil, nil), "", "", ""},
		{atPort("metrics", scrape, decode), "", "", ""},
	} {
		names := matching(t, all, tt.env)
		if tt.want == "" {
			assert.Empty(t, names, "%v", tt.env)
			continue
		}
		if assert.Equal(t, []string{"llm_engine/" + tt.want}, names, "%v", tt.env) {
			cfg := expanded(t, all[names[0]], tt.env)
			u, err := parseEndpoint(cfg.ClientConfig.Endpoint)
			require.NoError(t, err)
			assert.Equal(t, tt.url, u.String())
			assert.Equal(t, tt.role, k8sRole(cfg.Scrape.K8sRole))
		}
	}
}

// TestStreamsOnKubernetes: a pod says by annotations where its streams are, and has none without.
func TestStreamsOnKubernetes(t *testing.T) {
	all := templates(t, "kubernetes.yaml")
	streams := map[string]string{
		"otelcol-inference/kv-events-port": "5557", "otelcol-inference/kv-events-replay-port": "5558", "otelcol-inference/forward-passes-port": "20380",
	}
	for _, annotations := range []map[string]string{nil, streams} {
		pod := map[string]any{"name": "p", "uid": "u", "namespace": "n", "annotations": annotations, "labels": map[string]string{"llm-d.ai/role": "decode"}}
		atPod := map[string]any{"type": "pod", "endpoint": "10.1.2.3", "host": "10.1.2.3"}
		maps.Copy(atPod, pod)
		atPort := map[string]any{"type": "port", "endpoint": "10.1.2.3:8200", "host": "10.1.2.3", "port": uint16(8200), "name": "vllm", "pod": pod}
		for name, env := range map[string]map[string]any{"llm_engine/annotated": atPod, "llm_engine/llm_d": atPort} {
			cfg := expanded(t, all[name], env)
			kv, passes := cfg.Streams.top()
			if annotations == nil {
				assert.Nil(t, kv, name)
				assert.Nil(t, passes, name)
				continue
			}
			assert.Equal(t, &KVStreamConfig{Endpoint: "tcp://10.1.2.3:5557", ReplayEndpoint: "tcp://10.1.2.3:5558"}, kv, name)
			assert.Equal(t, &PassStreamConfig{Endpoint: "tcp://10.1.2.3:20380"}, passes, name)
		}
	}
}
