package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// assertPolicy holds a policy of operator.yaml to let in agents where gateways take points, and Prometheus to what a collector tells of itself. It
// returns whose it is.
func assertPolicy(t *testing.T, document string) (kind string) {
	t.Helper()
	var p networkingv1.NetworkPolicy
	require.NoError(t, yaml.UnmarshalStrict([]byte(document), &p))
	kind = strings.TrimPrefix(p.Name, "inference-")
	assert.Equal(t, "observability", p.Namespace)
	assert.Equal(t, operated(kind), p.Spec.PodSelector.MatchLabels)
	assert.Equal(t, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, p.Spec.PolicyTypes)
	want := []networkingv1.NetworkPolicyIngressRule{letsIn(8888, prometheus())}
	if kind == "gateway" {
		want = append([]networkingv1.NetworkPolicyIngressRule{letsIn(4317, podsOf(operated("agent")))}, want...)
	}
	assert.Equal(t, want, p.Spec.Ingress)
	return kind
}

// operated are labels that the operator gives the pods of a resource (opentelemetry-operator, SelectorLabels).
func operated(kind string) map[string]string {
	return map[string]string{
		"app.kubernetes.io/managed-by": "opentelemetry-operator",
		"app.kubernetes.io/instance":   "observability.inference-" + kind,
		"app.kubernetes.io/component":  "opentelemetry-collector",
	}
}

func podsOf(labels map[string]string) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: labels}}
}

// prometheus is any Prometheus of the cluster.
func prometheus() networkingv1.NetworkPolicyPeer {
	peer := podsOf(map[string]string{"app.kubernetes.io/name": "prometheus"})
	peer.NamespaceSelector = &metav1.LabelSelector{}
	return peer
}

func letsIn(port int32, from networkingv1.NetworkPolicyPeer) networkingv1.NetworkPolicyIngressRule {
	tcp, number := corev1.ProtocolTCP, intstr.FromInt32(port)
	return networkingv1.NetworkPolicyIngressRule{
		From:  []networkingv1.NetworkPolicyPeer{from},
		Ports: []networkingv1.NetworkPolicyPort{{Protocol: &tcp, Port: &number}},
	}
}
