//go:build linux

package e2e

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The shipped configuration for Kubernetes with its observer: pods come, change their mind and go.
func TestPodsComeAndGo(t *testing.T) {
	api := newKubernetes(t)
	overlay, points := observing(t, "k8s_observer: {auth_type: kubeConfig}", ", advice", "processors: {k8s_attributes: {auth_type: kubeConfig}}\n")
	start(t, []string{"KUBECONFIG=" + api.config(t)}, collector(t),
		"--config", filepath.Join("distributions", "otelcol-inference", "kubernetes.yaml"), "--config", overlay)

	vllm := faked()["vllm"]
	engines := make([]*fakeEngine, 4)
	for i := range engines {
		engines[i] = startFakeEngine(t, 0, vllm.command, vllm.path, vllm.page)
	}
	trtllm := faked()["tensorrt_llm"]
	elsewhere := startFakeEngine(t, 0, trtllm.command, trtllm.path, trtllm.page)
	port := func(e *fakeEngine) string { return strconv.Itoa(e.port) }
	is := func(e *fakeEngine, check func(*seenWorker) bool) func() bool {
		return func() bool { w := seenFile(t, points)[e.instance()]; return w != nil && check(w) }
	}
	up := func(w *seenWorker) bool { return w.up == 1 }

	scrape := func(e *fakeEngine, more ...string) map[string]string {
		all := map[string]string{"otelcol-inference/scrape": "true", "otelcol-inference/port": port(e)}
		for i := 0; i+1 < len(more); i += 2 {
			all["otelcol-inference/"+more[i]] = more[i+1]
		}
		return all
	}
	annotated, labelled, later, stranger := engines[0], engines[1], engines[2], engines[3]
	// A port of a stream that is no number costs the stream, and one of the page that leads elsewhere is not followed.
	api.put("annotated", 1, "http", scrape(annotated, "role", "decode", "kv-events-port", "5557@elsewhere.example"), nil)
	api.put("misled", 1, "http", map[string]string{"otelcol-inference/scrape": "true", "otelcol-inference/port": "8000@127.0.0.1:" + port(stranger)}, nil)
	api.put("labelled", labelled.port, "metrics", nil, map[string]string{"llm-d.ai/role": "prefill"})
	api.put("trtllm", 1, "http", scrape(elsewhere, "path", "/prometheus/metrics"), nil)
	api.put("stranger", stranger.port, "metrics", nil, nil)
	api.put("later", later.port, "metrics", nil, nil)
	for _, e := range []*fakeEngine{annotated, labelled, elsewhere} {
		require.Eventually(t, is(e, up), patience, 200*time.Millisecond, e.instance())
	}
	seen := seenFile(t, points)
	assert.Equal(t, []string{"annotated", "decode"}, []string{seen[annotated.instance()].pod, seen[annotated.instance()].role})
	assert.Equal(t, []string{"labelled", "prefill"}, []string{seen[labelled.instance()].pod, seen[labelled.instance()].role})
	assert.Equal(t, "tensorrt_llm", seen[elsewhere.instance()].engine)
	assert.Zero(t, later.asked())

	api.put("later", 1, "http", scrape(later), nil)
	require.Eventually(t, is(later, up), patience, 200*time.Millisecond, "a pod that is annotated later")
	api.remove("labelled")
	api.put("later", 1, "http", nil, nil)
	var was [2]int
	mark := 0
	require.Eventually(t, func() bool {
		seen := seenFile(t, points)
		now, at := [2]int{labelled.asked(), later.asked()}, seen[annotated.instance()].scrapes
		if was != now {
			was, mark = now, at
		}
		return at >= mark+2
	}, patience, 200*time.Millisecond, "nobody asks pods that went or no longer want it, while another is scraped")

	assert.Len(t, seenFile(t, points)[annotated.instance()].starts, 1, "the pod that stays keeps its start time")
	assert.Zero(t, stranger.asked(), "a pod that says nothing is never asked")
}
