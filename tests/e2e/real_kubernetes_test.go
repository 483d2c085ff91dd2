//go:build kubernetes

package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// A real Kubernetes API takes what is shipped for clusters, gives it the rights that it needs and no others, and the agent finds its node's pods
// there.
func TestKubernetes(t *testing.T) {
	c := startCluster(t)
	t.Log(c.must(t, "", "version"))
	c.namespace(t, "observability", "privileged") // agents mount folders of the node
	c.namespace(t, "serving", "privileged")
	c.apply(t, "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: nvidia}, handler: nvidia}")
	t.Run("operator", func(t *testing.T) { takesOperator(t, c) })
	t.Run("helm", func(t *testing.T) { takesHelm(t, c) })
	t.Run("rights", func(t *testing.T) { assertRights(t, c) })
	t.Run("pods", func(t *testing.T) { findsPods(t, c) })
}

// takesOperator applies the custom resources under the operator's own definition, whose schema then holds.
func takesOperator(t *testing.T, c *cluster) {
	definition, err := readAll(filepath.Join(os.Getenv("CRDS"), "opentelemetry.io_opentelemetrycollectors.yaml"))
	require.NoError(t, err, "CRDS names a folder with the operator's definitions")
	c.must(t, definition, "apply", "--server-side", "-f", "-")
	text, err := readAll(shipped(t, "kubernetes", "operator.yaml"))
	require.NoError(t, err)
	c.await(t, "discovery follows the definition", func() bool {
		_, err := c.try("", "get", "opentelemetrycollectors", "-A")
		return err == nil
	})
	c.apply(t, text)
	said, err := c.try(strings.Replace(text, "upgradeStrategy:", "upgradeStrategie:", 1), "apply", "--server-side", "--validate=strict", "--dry-run=server", "-f", "-")
	require.Error(t, err, "the schema refuses a key that it does not know")
	assert.Contains(t, said, "upgradeStrategie")
}

// takesHelm applies what the community's chart makes of the values, and has pods admitted as the controllers would make them.
func takesHelm(t *testing.T, c *cluster) {
	require.DirExists(t, os.Getenv("CHART"), "CHART names a folder with the chart opentelemetry-collector")
	c.namespace(t, "gateways", "restricted")
	for kind, namespace := range map[string]string{"agent": "observability", "gateway": "gateways"} {
		rendered, stderr, code := run(t, filepath.Join(os.Getenv("KUBERNETES"), "helm"), "template", "inference-"+kind, os.Getenv("CHART"), "-n", namespace,
			"-f", shipped(t, "kubernetes", kind+".values.yaml"), "--kube-version", "1.37.2", "--api-versions", "policy/v1")
		require.Zero(t, code, stderr)
		c.apply(t, rendered, "-n", namespace)
		pods := 0
		for _, document := range strings.Split(rendered, "\n---\n") {
			var head metav1.TypeMeta
			require.NoError(t, yaml.Unmarshal([]byte(document), &head))
			var template corev1.PodTemplateSpec
			switch head.Kind {
			case "DaemonSet":
				var set appsv1.DaemonSet
				require.NoError(t, yaml.Unmarshal([]byte(document), &set))
				template = set.Spec.Template
			case "StatefulSet":
				var set appsv1.StatefulSet
				require.NoError(t, yaml.Unmarshal([]byte(document), &set))
				template = set.Spec.Template
				for _, claim := range set.Spec.VolumeClaimTemplates {
					template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{
						PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-" + kind},
					}})
				}
			default:
				continue
			}
			pods++
			template.Name, template.Namespace = kind, namespace
			create := func() (string, error) {
				pod, err := yaml.Marshal(corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: template.ObjectMeta, Spec: template.Spec})
				require.NoError(t, err)
				return c.try(string(pod), "create", "--validate=strict", "--dry-run=server", "-f", "-")
			}
			said, err := create()
			require.NoError(t, err, said)
			if kind == "agent" { // for the record: folders of the node are what keeps agents from a stricter level
				template.Namespace, template.Spec.ServiceAccountName = "gateways", "default"
				said, err := create()
				require.Error(t, err)
				assert.Contains(t, said, "hostPath")
				t.Log(said)
			}
		}
		assert.Equal(t, 1, pods, kind)
	}
}

// assertRights asks the API for all that the service accounts may do: beside what every account may, agents read pods, and gateways nothing.
func assertRights(t *testing.T, c *cluster) {
	rights := func(namespace, account string) (rows []string) {
		c.must(t, "", "get", "serviceaccount", account, "-n", namespace)
		said := c.must(t, "", "auth", "can-i", "--list", "--no-headers", "-n", namespace, "--as", "system:serviceaccount:"+namespace+":"+account)
		for _, row := range strings.Split(said, "\n") {
			rows = append(rows, strings.Join(strings.Fields(row), " "))
		}
		return rows
	}
	every := rights("serving", "default")
	require.NotEmpty(t, every)
	for _, account := range []string{"inference-agent", "inference-agent-opentelemetry-collector"} {
		assert.ElementsMatch(t, append([]string{"pods [] [] [get list watch]"}, every...), rights("observability", account), account)
		said := c.must(t, "", "auth", "can-i", "watch", "pods", "-A", "--as", "system:serviceaccount:observability:"+account)
		assert.Equal(t, "yes", said, "in all namespaces")
	}
	assert.ElementsMatch(t, every, rights("observability", "inference-gateway"))
	assert.ElementsMatch(t, every, rights("gateways", "inference-gateway-opentelemetry-collector"))
}

// findsPods runs the shipped agent by its own account: engines in pods of its node are found, scraped, named, and left alone when they go.
func findsPods(t *testing.T, c *cluster) {
	dir := t.TempDir()
	overlay, points := observing(t, "file_storage: {directory: "+dir+", compaction: {directory: "+dir+"}}", "", "")
	agent := c.inside(t, "observability", "inference-agent", []string{"K8S_NODE_NAME=node-1", "FLEET=fleet-a"}, "--config", shipped(t, "agent.yaml"),
		"--config", shipped(t, "kubernetes-agent.yaml"), "--config", overlay)
	vllm := faked()["vllm"]
	engine := func() *fakeEngine { return startFakeEngine(t, 0, vllm.command, vllm.path, vllm.page) }
	labelled, annotated, stranger := engine(), engine(), engine()
	c.put(t, "decode-0", labelled.port, "metrics", nil, map[string]string{"llm-d.ai/role": "decode"})
	c.put(t, "stranger", stranger.port, "http", nil, nil)
	c.put(t, "later", 1, "http", nil, nil)
	seen := func(e *fakeEngine) *seenWorker { return seenFile(t, points)[e.instance()] }
	c.await(t, "a pod with llm-d's label", func() bool {
		w := seen(labelled)
		return w != nil && w.up == 1 && w.pod == "decode-0" && w.role == "decode" && w.fleet == "fleet-a"
	})
	c.put(t, "later", 1, "http", map[string]string{"otelcol-inference/scrape": "true", "otelcol-inference/port": strconv.Itoa(annotated.port)}, nil)
	c.await(t, "a pod that is annotated later", func() bool { w := seen(annotated); return w != nil && w.up == 1 && w.pod == "later" })

	c.remove(t, "decode-0")
	was, mark := 0, 0
	c.await(t, "nobody asks a pod that went, while another is scraped", func() bool {
		now, at := labelled.asked(), seen(annotated).scrapes
		if was != now {
			was, mark = now, at
		}
		return at >= mark+2
	})
	assert.Zero(t, stranger.asked(), "a pod that says nothing is never asked")
	assert.NotContains(t, agent.Output(), "forbidden")
}
