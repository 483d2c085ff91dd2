//go:build linux

package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An agent of a cluster finds its node's engines and names their pods with the rights that are shipped: the API refuses all else, and is
// asked for nothing else.
func TestAgentsOfAClusterNeedOnlyTheirRights(t *testing.T) {
	api := newKubernetes(t)
	var mu sync.Mutex
	asked := map[string]bool{}
	guarded := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		mu.Lock()
		asked[parts[len(parts)-1]] = true
		mu.Unlock()
		if parts[len(parts)-1] != "pods" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { guarded.CloseClientConnections(); guarded.Close() })
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text, err := readAll(api.config(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(kubeconfig, []byte(strings.ReplaceAll(text, api.URL, guarded.URL)), 0o600))

	overlay, points := observing(t, "k8s_observer: {auth_type: kubeConfig}, file_storage: {directory: "+t.TempDir()+", compaction: {directory: "+t.TempDir()+"}}", "",
		"processors: {k8s_attributes: {auth_type: kubeConfig}}\n")
	start(t, []string{"KUBECONFIG=" + kubeconfig, "K8S_NODE_NAME=node-1", "FLEET=fleet-a"}, collector(t), "--config", shipped(t, "agent.yaml"),
		"--config", shipped(t, "kubernetes-agent.yaml"), "--config", overlay)

	vllm := faked()["vllm"]
	engine := startFakeEngine(t, 0, vllm.command, vllm.path, vllm.page)
	api.put("decode-0", engine.port, "metrics", nil, map[string]string{"llm-d.ai/role": "decode"})
	require.Eventually(t, func() bool {
		w := seenFile(t, points)[engine.instance()]
		return w != nil && w.up == 1 && w.pod == "decode-0" && w.role == "decode"
	}, patience, 200*time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, map[string]bool{"pods": true}, asked)
}
