package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// kubernetes plays the part of the Kubernetes API that observers use: list and watch of pods. Of all else there is nothing.
type kubernetes struct {
	*httptest.Server
	mu       sync.Mutex
	version  int
	pods     map[string]map[string]any
	watchers map[chan event]bool
}

// event is one of a watch.
type event struct {
	Type   string         `json:"type"`
	Object map[string]any `json:"object"`
}

func newKubernetes(t *testing.T) *kubernetes {
	k := &kubernetes{version: 1, pods: map[string]map[string]any{}, watchers: map[chan event]bool{}}
	k.Server = httptest.NewServer(k)
	t.Cleanup(func() { k.CloseClientConnections(); k.Close() })
	return k
}

// config writes a kubeconfig of this API and returns its path.
func (k *kubernetes) config(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := "{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: " + k.URL +
		"}}], users: [{name: u, user: {}}], contexts: [{name: c, context: {cluster: c, user: u}}]}"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// put adds or changes a running pod on loopback whose container has a named port.
func (k *kubernetes) put(name string, port int, portName string, annotations, labels map[string]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	kind := "ADDED"
	if k.pods[name] != nil {
		kind = "MODIFIED"
	}
	k.version++
	k.pods[name] = map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{
			"name": name, "namespace": "serving", "uid": "uid-" + name, "resourceVersion": strconv.Itoa(k.version), "annotations": annotations, "labels": labels,
		},
		"spec": map[string]any{"nodeName": "node-1", "containers": []any{map[string]any{
			"name": "engine", "image": "engine:1", "ports": []any{map[string]any{"name": portName, "containerPort": port, "protocol": "TCP"}},
		}}},
		"status": map[string]any{
			"phase": "Running", "podIP": "127.0.0.1", "podIPs": []any{map[string]any{"ip": "127.0.0.1"}},
			"containerStatuses": []any{map[string]any{"name": "engine", "ready": true, "state": map[string]any{"running": map[string]any{}}}},
		},
	}
	k.tell(event{kind, k.pods[name]})
}

// remove deletes a pod.
func (k *kubernetes) remove(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.version++
	gone := k.pods[name]
	gone["metadata"].(map[string]any)["resourceVersion"] = strconv.Itoa(k.version)
	delete(k.pods, name)
	k.tell(event{"DELETED", gone})
}

func (k *kubernetes) tell(e event) {
	for w := range k.watchers {
		w <- e // has room for all events of a test
	}
}

// ServeHTTP answers list and watch requests, the latter also with the events that clients ask for in the place of a list.
func (k *kubernetes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	resource, version := parts[len(parts)-1], "v1"
	if parts[0] == "apis" && len(parts) > 2 {
		version = parts[1] + "/" + parts[2]
	}
	kind := map[string]string{
		"pods": "Pod", "namespaces": "Namespace", "nodes": "Node", "replicasets": "ReplicaSet", "deployments": "Deployment", "jobs": "Job",
		"statefulsets": "StatefulSet", "daemonsets": "DaemonSet",
	}[resource]
	w.Header().Set("Content-Type", "application/json")
	if kind == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if r.URL.Query().Get("watch") != "" {
		k.watch(w, r, kind, version)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	items := []any{}
	if kind == "Pod" {
		for _, p := range k.pods {
			items = append(items, p)
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": version, "kind": kind + "List", "metadata": map[string]any{"resourceVersion": strconv.Itoa(k.version)}, "items": items,
	})
}

func (k *kubernetes) watch(w http.ResponseWriter, r *http.Request, kind, version string) {
	events := make(chan event, 1000)
	k.mu.Lock()
	var first []event
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		for _, p := range k.pods {
			if kind == "Pod" {
				first = append(first, event{"ADDED", p})
			}
		}
		first = append(first, event{"BOOKMARK", map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{
			"resourceVersion": strconv.Itoa(k.version), "annotations": map[string]string{"k8s.io/initial-events-end": "true"},
		}}})
	}
	body := json.NewEncoder(w)
	for _, e := range first {
		_ = body.Encode(e)
	}
	if kind == "Pod" {
		k.watchers[events] = true
	}
	k.mu.Unlock()
	defer func() { k.mu.Lock(); delete(k.watchers, events); k.mu.Unlock() }()
	w.(http.Flusher).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case e := <-events:
			if body.Encode(e) != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	}
}
