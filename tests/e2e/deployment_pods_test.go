package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// assertSafe holds a container to least privilege.
func assertSafe(t *testing.T, kind string, s *corev1.SecurityContext, r corev1.ResourceRequirements) {
	t.Helper()
	require.NotNil(t, s)
	assert.False(t, *s.AllowPrivilegeEscalation)
	assert.True(t, *s.ReadOnlyRootFilesystem)
	assert.Equal(t, []corev1.Capability{"ALL"}, s.Capabilities.Drop)
	assert.Empty(t, s.Capabilities.Add)
	assert.Nil(t, s.Privileged)
	assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, s.SeccompProfile.Type)
	if kind == "gateway" {
		assert.True(t, *s.RunAsNonRoot)
		assert.EqualValues(t, 10001, *s.RunAsUser)
	}
	for _, list := range []corev1.ResourceList{r.Limits, r.Requests} {
		assert.NotContains(t, list, corev1.ResourceName("nvidia.com/gpu"), "a GPU that is requested is taken from the engines")
		assert.Contains(t, list, corev1.ResourceMemory)
	}
}

// assertMemory holds a gateway to the memory of the packaged unit, to which gateway.yaml's memory_limiter fits.
func assertMemory(t *testing.T, env []corev1.EnvVar, r corev1.ResourceRequirements) {
	t.Helper()
	unit, err := os.ReadFile(shipped(t, "packaging", "otelcol-inference.service"))
	require.NoError(t, err)
	set := map[string]string{}
	for _, variable := range env {
		assert.NotContains(t, set, variable.Name, "set twice")
		set[variable.Name] = variable.Value
	}
	require.NotEmpty(t, set["GOMEMLIMIT"])
	assert.Contains(t, string(unit), "\nEnvironment=GOMEMLIMIT="+set["GOMEMLIMIT"]+"\n")
	assert.Contains(t, string(unit), "\nMemoryMax="+strings.TrimSuffix(r.Limits.Memory().String(), "i")+"\n")
}

// assertMounts holds an agent to read what is not its own.
func assertMounts(t *testing.T, volumes []corev1.Volume, mounts []corev1.VolumeMount) {
	t.Helper()
	paths := map[string]string{}
	for _, v := range volumes {
		require.NotNil(t, v.HostPath, v.Name)
		paths[v.Name] = v.HostPath.Path
	}
	for _, m := range mounts {
		assert.Equal(t, paths[m.Name], m.MountPath)
		assert.Equal(t, m.Name != "state", m.ReadOnly, m.Name)
		delete(paths, m.Name)
	}
	assert.Empty(t, paths, "volumes that are not mounted")
}

// podsOnly is all that an agent may ask a cluster.
func podsOnly() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch"}}}
}
