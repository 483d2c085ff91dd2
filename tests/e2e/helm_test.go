//go:build helm

package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// The community's chart in CHART, which has a schema of its own for values, makes of ours objects that Kubernetes' types take.
func TestHelmChart(t *testing.T) {
	chart := os.Getenv("CHART")
	require.DirExists(t, chart, "CHART names a folder with the chart opentelemetry-collector")
	for kind, want := range map[string][]string{
		"agent":   {"ClusterRole", "ClusterRoleBinding", "DaemonSet", "NetworkPolicy", "ServiceAccount"},
		"gateway": {"NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount", "StatefulSet"},
	} {
		t.Run(kind, func(t *testing.T) {
			rendered, stderr, code := run(t, os.Getenv("HELM"), "template", "inference-"+kind, chart, "-f", shipped(t, "kubernetes", kind+".values.yaml"),
				"--api-versions", "policy/v1/PodDisruptionBudget")
			require.Zero(t, code, stderr)
			var kinds []string
			for _, document := range strings.Split(rendered, "\n---\n") {
				var head struct{ Kind string }
				require.NoError(t, yaml.Unmarshal([]byte(document), &head))
				kinds = append(kinds, head.Kind)
				object := map[string]any{
					"ServiceAccount": &corev1.ServiceAccount{}, "Service": &corev1.Service{}, "DaemonSet": &appsv1.DaemonSet{}, "StatefulSet": &appsv1.StatefulSet{},
					"ClusterRole": &rbacv1.ClusterRole{}, "ClusterRoleBinding": &rbacv1.ClusterRoleBinding{}, "NetworkPolicy": &networkingv1.NetworkPolicy{},
					"PodDisruptionBudget": &policyv1.PodDisruptionBudget{},
				}[head.Kind]
				require.NotNil(t, object, head.Kind)
				require.NoError(t, yaml.UnmarshalStrict([]byte(document), object), head.Kind)
				switch o := object.(type) {
				case *appsv1.DaemonSet:
					pod := o.Spec.Template.Spec
					assert.Equal(t, "nvidia", *pod.RuntimeClassName)
					assert.False(t, pod.HostPID || pod.HostNetwork)
					assertSafe(t, kind, pod.Containers[0].SecurityContext, pod.Containers[0].Resources)
					assertMounts(t, pod.Volumes, pod.Containers[0].VolumeMounts)
				case *appsv1.StatefulSet:
					container := o.Spec.Template.Spec.Containers[0]
					assertSafe(t, kind, container.SecurityContext, container.Resources)
					assertMemory(t, container.Env, container.Resources)
				case *corev1.Service:
					assert.Equal(t, corev1.ClusterIPNone, o.Spec.ClusterIP)
				case *networkingv1.NetworkPolicy:
					assertIngress(t, kind, o.Spec.Ingress)
				case *rbacv1.ClusterRole:
					assert.Equal(t, podsOnly(), o.Rules)
				}
			}
			assert.ElementsMatch(t, want, kinds)
		})
	}
}

// assertIngress holds the chart's policy to let in agents at gateways, and Prometheus. The chart gives those of allowIngressFrom every port.
func assertIngress(t *testing.T, kind string, rules []networkingv1.NetworkPolicyIngressRule) {
	t.Helper()
	require.NotEmpty(t, rules)
	if kind == "gateway" {
		assert.Equal(t, []networkingv1.NetworkPolicyPeer{podsOf(map[string]string{"component": "agent-collector"})}, rules[0].From)
		rules = rules[1:]
	}
	assert.Equal(t, []networkingv1.NetworkPolicyIngressRule{letsIn(8888, prometheus())}, rules)
}
