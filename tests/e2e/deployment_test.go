package e2e

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	yamlv3 "go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/otelcol-inference/otelcol-inference/tests/fleet/rig"
)

// helmValues are the keys of the community's chart opentelemetry-collector that the shipped values use, with Kubernetes' own types where the
// chart hands them through (github.com/open-telemetry/opentelemetry-helm-charts, values.schema.json of chart 0.170.0).
type helmValues struct {
	Mode         string                           `json:"mode"`
	ReplicaCount int                              `json:"replicaCount"`
	Image        struct{ Repository, Tag string } `json:"image"`
	ConfigMap    struct{ Create *bool }           `json:"configMap"`
	Command      struct {
		ExtraArgs []string `json:"extraArgs"`
	} `json:"command"`
	ExtraEnvs     []corev1.EnvVar `json:"extraEnvs"`
	UseGOMEMLIMIT *bool           `json:"useGOMEMLIMIT"` // the chart's default is true

	RuntimeClassName string              `json:"runtimeClassName"`
	NodeSelector     map[string]string   `json:"nodeSelector"`
	Tolerations      []corev1.Toleration `json:"tolerations"`

	PodSecurityContext *corev1.PodSecurityContext `json:"podSecurityContext"`
	SecurityContext    *corev1.SecurityContext    `json:"securityContext"`
	ServiceAccount     struct {
		Create                       bool  `json:"create"`
		AutomountServiceAccountToken *bool `json:"automountServiceAccountToken"`
	} `json:"serviceAccount"`
	ClusterRole struct {
		Create bool                `json:"create"`
		Rules  []rbacv1.PolicyRule `json:"rules"`
	} `json:"clusterRole"`

	ExtraVolumes      []corev1.Volume             `json:"extraVolumes"`
	ExtraVolumeMounts []corev1.VolumeMount        `json:"extraVolumeMounts"`
	Resources         corev1.ResourceRequirements `json:"resources"`
	Ports             map[string]struct {
		Enabled       bool            `json:"enabled"`
		ContainerPort int             `json:"containerPort"`
		ServicePort   int             `json:"servicePort"`
		Protocol      corev1.Protocol `json:"protocol"`
		AppProtocol   string          `json:"appProtocol"`
	} `json:"ports"`
	Service struct {
		Type      corev1.ServiceType `json:"type"`
		ClusterIP string             `json:"clusterIP"`
	} `json:"service"`
	NetworkPolicy struct {
		Enabled           bool                                    `json:"enabled"`
		AllowIngressFrom  []networkingv1.NetworkPolicyPeer        `json:"allowIngressFrom"`
		ExtraIngressRules []networkingv1.NetworkPolicyIngressRule `json:"extraIngressRules"`
	} `json:"networkPolicy"`
	PodDisruptionBudget struct {
		Enabled        bool `json:"enabled"`
		MaxUnavailable int  `json:"maxUnavailable"`
	} `json:"podDisruptionBudget"`
	Statefulset struct {
		VolumeClaimTemplates []corev1.PersistentVolumeClaim `json:"volumeClaimTemplates"`
	} `json:"statefulset"`
}

// collectorSpec are the keys of the OpenTelemetry Operator's OpenTelemetryCollector v1beta1 that the shipped resource uses
// (github.com/open-telemetry/opentelemetry-operator, apis/v1beta1).
type collectorSpec struct {
	Mode               string                      `json:"mode"`
	Replicas           int32                       `json:"replicas"`
	Image              string                      `json:"image"`
	UpgradeStrategy    string                      `json:"upgradeStrategy"`
	ServiceAccount     string                      `json:"serviceAccount"`
	NodeSelector       map[string]string           `json:"nodeSelector"`
	Tolerations        []corev1.Toleration         `json:"tolerations"`
	PodSecurityContext *corev1.PodSecurityContext  `json:"podSecurityContext"`
	SecurityContext    *corev1.SecurityContext     `json:"securityContext"`
	Env                []corev1.EnvVar             `json:"env"`
	Resources          corev1.ResourceRequirements `json:"resources"`
	Volumes            []corev1.Volume             `json:"volumes"`
	VolumeMounts       []corev1.VolumeMount        `json:"volumeMounts"`
	NetworkPolicy      struct {
		Enabled *bool `json:"enabled"` // the operator's default is true
	} `json:"networkPolicy"`
	Config map[string]any `json:"config"`

	PodDisruptionBudget struct {
		MaxUnavailable int `json:"maxUnavailable"`
	} `json:"podDisruptionBudget"`
	VolumeClaimTemplates []corev1.PersistentVolumeClaim `json:"volumeClaimTemplates"`
}

// deployedConfigs are the configurations of each kind, in order.
func deployedConfigs(kind string) []string {
	return []string{kind + ".yaml", "kubernetes-" + kind + ".yaml"}
}

func TestHelmValuesAreOfTheChartAndSafe(t *testing.T) {
	for _, kind := range []string{"agent", "gateway"} {
		t.Run(kind, func(t *testing.T) {
			text, err := os.ReadFile(shipped(t, "kubernetes", kind+".values.yaml"))
			require.NoError(t, err)
			var v helmValues
			require.NoError(t, yaml.UnmarshalStrict(text, &v))
			assert.Equal(t, version(t), v.Image.Tag)
			require.NotNil(t, v.ConfigMap.Create)
			assert.False(t, *v.ConfigMap.Create)
			var want []string
			for _, file := range deployedConfigs(kind) {
				want = append(want, "--config=/etc/otelcol-inference/"+file)
			}
			assert.Equal(t, want, v.Command.ExtraArgs)
			assertSafe(t, kind, v.SecurityContext, v.Resources)
			for name, port := range v.Ports {
				assert.Equal(t, name == "metrics" || name == "otlp" && kind == "gateway", port.Enabled, name)
			}
			assert.True(t, v.NetworkPolicy.Enabled)
			if kind == "agent" {
				assert.Equal(t, []networkingv1.NetworkPolicyPeer{prometheus()}, v.NetworkPolicy.AllowIngressFrom)
				assert.Equal(t, "nvidia", v.RuntimeClassName)
				assert.Equal(t, podsOnly(), v.ClusterRole.Rules)
				assertMounts(t, v.ExtraVolumes, v.ExtraVolumeMounts)
				return
			}
			assert.Equal(t, []networkingv1.NetworkPolicyPeer{podsOf(map[string]string{"component": "agent-collector"})}, v.NetworkPolicy.AllowIngressFrom)
			assert.Equal(t, []networkingv1.NetworkPolicyIngressRule{letsIn(8888, prometheus())}, v.NetworkPolicy.ExtraIngressRules)
			assertMemory(t, v.ExtraEnvs, v.Resources)
			require.NotNil(t, v.UseGOMEMLIMIT)
			assert.False(t, *v.UseGOMEMLIMIT, "the chart would set a second GOMEMLIMIT")
			assert.False(t, v.ClusterRole.Create)
			assert.False(t, *v.ServiceAccount.AutomountServiceAccountToken)
			assert.Equal(t, corev1.ClusterIPNone, v.Service.ClusterIP, "agents need every gateway's address")
		})
	}
}

func TestOperatorResourcesAreValidAndHaveTheShippedConfiguration(t *testing.T) {
	file := shipped(t, "kubernetes", "operator.yaml")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		renewOperator(t, file)
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	collectors := 0
	var policies []string
	for _, document := range strings.Split(string(text), "\n---\n") {
		var head struct{ Kind string }
		require.NoError(t, yaml.Unmarshal([]byte(document), &head))
		switch head.Kind {
		case "ServiceAccount":
			require.NoError(t, yaml.UnmarshalStrict([]byte(document), &corev1.ServiceAccount{}))
		case "ClusterRole":
			var role rbacv1.ClusterRole
			require.NoError(t, yaml.UnmarshalStrict([]byte(document), &role))
			assert.Equal(t, podsOnly(), role.Rules)
		case "ClusterRoleBinding":
			require.NoError(t, yaml.UnmarshalStrict([]byte(document), &rbacv1.ClusterRoleBinding{}))
		case "NetworkPolicy":
			policies = append(policies, assertPolicy(t, document))
		case "OpenTelemetryCollector":
			collectors++
			assertCollector(t, document)
		default:
			t.Errorf("unknown kind %q", head.Kind)
		}
	}
	assert.Equal(t, 2, collectors)
	assert.ElementsMatch(t, []string{"agent", "gateway"}, policies)
}

func assertCollector(t *testing.T, document string) {
	var c struct {
		APIVersion string                           `json:"apiVersion"`
		Kind       string                           `json:"kind"`
		Metadata   struct{ Name, Namespace string } `json:"metadata"`
		Spec       collectorSpec                    `json:"spec"`
	}
	require.NoError(t, yaml.UnmarshalStrict([]byte(document), &c))
	assert.Equal(t, "opentelemetry.io/v1beta1", c.APIVersion)
	assert.True(t, strings.HasSuffix(c.Spec.Image, ":"+version(t)), c.Spec.Image)
	kind := strings.TrimPrefix(c.Metadata.Name, "inference-")
	require.NotNil(t, c.Spec.NetworkPolicy.Enabled)
	assert.False(t, *c.Spec.NetworkPolicy.Enabled, "the operator's own policy would let everybody in to every port")
	assertSafe(t, kind, c.Spec.SecurityContext, c.Spec.Resources)
	if kind == "agent" {
		assertMounts(t, c.Spec.Volumes, c.Spec.VolumeMounts)
	} else {
		assertMemory(t, c.Spec.Env, c.Spec.Resources)
	}
	want, err := yaml.Marshal(merged(t, kind))
	require.NoError(t, err)
	got, err := yaml.Marshal(c.Spec.Config)
	require.NoError(t, err)
	assert.NotContains(t, string(got), ": null", "the operator drops what is null (github.com/open-telemetry/opentelemetry-operator/issues/3543): {}")
	assert.Equal(t, string(want), string(got), "UPDATE_GOLDEN=1 renews the configuration of %s", c.Metadata.Name)
	config := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(config, got, 0o600))
	_, stderr, code := run(t, collector(t), "validate", "--config", config)
	assert.Zero(t, code, stderr)
}

// Agents in a cluster find engines as a collector with kubernetes.yaml does.
func TestAgentsOfAClusterDiscoverAsKubernetesYAML(t *testing.T) {
	agent, alone := merged(t, "agent"), load(t, "kubernetes.yaml")
	for _, path := range [][2]string{{"receivers", "receiver_creator"}, {"extensions", "k8s_observer"}} {
		assert.Equal(t, alone[path[0]].(map[string]any)[path[1]], agent[path[0]].(map[string]any)[path[1]], path[1])
	}
}

// shipped is a file of the distribution.
func shipped(t *testing.T, path ...string) string {
	return filepath.Join(append([]string{rig.Root(t), "distributions", "otelcol-inference"}, path...)...)
}

func load(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(shipped(t, file))
	require.NoError(t, err)
	all := map[string]any{}
	require.NoError(t, yaml.Unmarshal(text, &all))
	return all
}

// merged is the configuration of several files as the collector merges them, maps by key, all else by the last, without what then is
// not used.
func merged(t *testing.T, kind string) map[string]any {
	all := map[string]any{}
	for _, file := range deployedConfigs(kind) {
		merge(all, load(t, file))
	}
	service := all["service"].(map[string]any)
	keep(all["extensions"], service["extensions"])
	var receivers []any
	for _, pipeline := range service["pipelines"].(map[string]any) {
		receivers = append(receivers, pipeline.(map[string]any)["receivers"].([]any)...)
	}
	keep(all["receivers"], receivers)
	return all
}

// keep drops components that are not in a list of names.
func keep(components, names any) {
	maps.DeleteFunc(components.(map[string]any), func(name string, _ any) bool { return !slices.Contains(names.([]any), any(name)) })
}

func merge(into, from map[string]any) {
	for key, value := range from {
		below, isMap := value.(map[string]any)
		there, wasMap := into[key].(map[string]any)
		if isMap && wasMap {
			merge(there, below)
			continue
		}
		into[key] = value
	}
}

// renewOperator writes the shipped configurations into the custom resources, and leaves all else as it stands.
func renewOperator(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	documents := strings.Split(string(text), "\n---\n")
	for i, document := range documents {
		if !strings.Contains(document, "kind: OpenTelemetryCollector") {
			continue
		}
		before, _, found := strings.Cut(document, "\n  config:")
		require.True(t, found, "config is the last key of spec")
		_, name, _ := strings.Cut(document, "\n  name: inference-")
		kind, _, _ := strings.Cut(name, "\n")
		var out bytes.Buffer
		encoder := yamlv3.NewEncoder(&out)
		encoder.SetIndent(2)
		require.NoError(t, encoder.Encode(map[string]any{"config": merged(t, kind)}))
		documents[i] = before + "\n  " + strings.ReplaceAll(strings.TrimSpace(out.String()), "\n", "\n  ")
	}
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(documents, "\n---\n")+"\n"), 0o600))
}
