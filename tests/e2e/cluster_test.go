//go:build kubernetes

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// cluster is a real Kubernetes API on loopback, with its store and its own admission and authorization. It has no controllers and no nodes: what
// these would write is written by hand.
type cluster struct {
	dir, kubectl, port string
	servers            []*rig.Process
}

// startCluster runs etcd and kube-apiserver of KUBERNETES, a folder with the programs that `make kubernetes-check` builds.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	programs := os.Getenv("KUBERNETES")
	require.DirExists(t, programs, "KUBERNETES names a folder with etcd, kube-apiserver and kubectl")
	c := &cluster{dir: t.TempDir(), kubectl: filepath.Join(programs, "kubectl"), port: strconv.Itoa(rig.FreePort(t))}
	c.writeKey(t)
	c.write(t, "tokens.csv", "of-the-test,admin,admin,system:masters\n")

	client, peer := fmt.Sprintf("http://127.0.0.1:%d", rig.FreePort(t)), fmt.Sprintf("http://127.0.0.1:%d", rig.FreePort(t))
	c.serve(t, filepath.Join(programs, "etcd"), "--data-dir", filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync", "--log-level", "error",
		"--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
		"--initial-cluster", "default="+peer)
	c.serve(t, filepath.Join(programs, "kube-apiserver"), "--etcd-servers", client, "--secure-port", c.port,
		"--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", // otherwise it looks for a default route
		"--cert-dir", c.dir, "--token-auth-file", c.path("tokens.csv"), "--authorization-mode", "RBAC", "--endpoint-reconciler-type", "none",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", c.path("sa.key"),
		"--service-account-signing-key-file", c.path("sa.key"), "--service-cluster-ip-range", "10.96.0.0/24")
	c.await(t, "the API's certificate", func() bool { _, err := os.Stat(c.path("apiserver.crt")); return err == nil })
	c.write(t, "kubeconfig", fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: 'https://127.0.0.1:%s', "+
		"certificate-authority: %s}}], users: [{name: u, user: {token: of-the-test}}], contexts: [{name: c, context: {cluster: c, user: u}}]}", c.port, c.path("apiserver.crt")))
	c.await(t, "the API is ready", func() bool {
		said, err := c.try("", "get", "--raw", "/readyz")
		return err == nil && said == "ok"
	})
	return c
}

// serve starts a program without which there is no cluster.
func (c *cluster) serve(t *testing.T, program string, args ...string) {
	t.Helper()
	c.servers = append(c.servers, start(t, nil, program, args...))
}

// await waits for what a running cluster does; where a server of it has ended, it ends at once.
func (c *cluster) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	var ended string
	require.Eventually(t, func() bool {
		for _, p := range c.servers {
			if !p.Running() {
				ended = p.Name
				return true
			}
		}
		return done()
	}, patience, 500*time.Millisecond, what)
	require.Empty(t, ended, "a server ended before: %s", what)
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *cluster) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(c.path(name), []byte(text), 0o600))
}

// writeKey makes the key that signs the tokens of service accounts.
func (c *cluster) writeKey(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	c.write(t, "sa.key", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
}

// try runs kubectl as the administrator with what it is to read, and returns all that it said.
func (c *cluster) try(input string, words ...string) (string, error) {
	cmd := exec.Command(c.kubectl, append([]string{"--kubeconfig", c.path("kubeconfig"), "--request-timeout", "30s"}, words...)...)
	cmd.Env = append(os.Environ(), "HOME="+c.dir)
	cmd.Stdin = strings.NewReader(input)
	said, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(said)), err
}

func (c *cluster) must(t *testing.T, input string, words ...string) string {
	t.Helper()
	said, err := c.try(input, words...)
	require.NoError(t, err, "kubectl %s: %s", strings.Join(words, " "), said)
	return said
}

// apply has the API take objects, strictly: first only validated, then for good.
func (c *cluster) apply(t *testing.T, objects string, more ...string) {
	t.Helper()
	objects = "---\n" + objects // kubectl takes a brace at the start for JSON
	words := append([]string{"apply", "--server-side", "--validate=strict", "-f", "-"}, more...)
	said := c.must(t, objects, append(words, "--dry-run=server")...)
	assert.NotContains(t, said, "Warning:")
	c.must(t, objects, words...)
}

// namespace makes one that admits pods of a security level, with the account that pods have by default.
func (c *cluster) namespace(t *testing.T, name, level string) {
	t.Helper()
	c.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: %s}}}", name, level))
	c.apply(t, fmt.Sprintf("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: %s}}", name))
}

// put adds or changes a running pod on loopback whose container has a named port.
func (c *cluster) put(t *testing.T, name string, port int, portName string, annotations, labels map[string]string) {
	t.Helper()
	spec, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": name, "namespace": "serving", "annotations": annotations, "labels": labels},
		"spec": map[string]any{"nodeName": "node-1", "containers": []any{map[string]any{
			"name": "engine", "image": "engine:1", "ports": []any{map[string]any{"name": portName, "containerPort": port, "protocol": "TCP"}},
		}}},
	})
	require.NoError(t, err)
	c.must(t, string(spec), "apply", "--server-side", "-f", "-")
	c.must(t, "", "patch", "pod", "-n", "serving", name, "--subresource=status", "--type=merge", "-p", `{"status": {"phase": "Running", "podIP": "127.0.0.1",
"podIPs": [{"ip": "127.0.0.1"}], "containerStatuses": [{"name": "engine", "image": "engine:1", "imageID": "engine", "restartCount": 0, "ready": true,
"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}}`)
}

// remove deletes a pod as the kubelet does at last.
func (c *cluster) remove(t *testing.T, name string) {
	t.Helper()
	c.must(t, "", "delete", "pod", "-n", "serving", name, "--grace-period=0", "--force")
}

// inside starts the collector where the API's address and a service account's token are as in a pod.
func (c *cluster) inside(t *testing.T, namespace, account string, env []string, args ...string) *rig.Process {
	t.Helper()
	secrets := t.TempDir()
	token := c.must(t, "", "create", "token", account, "-n", namespace)
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "token"), []byte(token), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "namespace"), []byte(namespace), 0o600))
	authority, err := os.ReadFile(c.path("apiserver.crt"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "ca.crt"), authority, 0o600))
	const enter = `set -eu; mount -t tmpfs tmpfs /run; at=/run/secrets/kubernetes.io/serviceaccount; mkdir -p $at; mount --bind "$0" $at; exec "$@"`
	return start(t, append(env, "KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT="+c.port), "unshare",
		append([]string{"--mount", "sh", "-c", enter, secrets, collector(t)}, args...)...)
}
