package runs

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// Where things are in a pod; by hand the same layout lies under any folder.
const (
	mountsDir  = "/datastack"
	runDir     = mountsDir + "/run"
	scratchDir = mountsDir + "/scratch"
	engineDir  = mountsDir + "/engine"
	tokenDir   = "/var/run/secrets/kubernetes.io/serviceaccount" //nolint:gosec // a path, not a credential
)

// scratchLimit bounds what a pod may spill to its node's disk.
var scratchLimit = resource.MustParse("32Gi")

type mounts struct {
	volumes []corev1.Volume
	worker  []corev1.VolumeMount
}

func (m *mounts) add(name, path string, source corev1.VolumeSource, readOnly bool) {
	m.volumes = append(m.volumes, corev1.Volume{Name: name, VolumeSource: source})
	m.worker = append(m.worker, corev1.VolumeMount{Name: name, MountPath: path, ReadOnly: readOnly})
}

// mountsOf lists the volumes of a pod. Only the worker sees the token, the Secrets
// and the claims; the engine shares nothing but its own folder.
func mountsOf(o Order) mounts {
	var m mounts
	m.add("run", runDir, corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: AttemptName(o.Spec.Run, o.Spec.Attempt)}}}, true)
	m.add("token", tokenDir, token(), true)
	m.add("scratch", scratchDir, scratch(), false)
	m.add("engine", engineDir, scratch(), false)
	refs := referencesOf(o.Spec)
	for i, name := range refs.secrets {
		m.add(fmt.Sprintf("secret-%d", i), mountsDir+"/secrets/"+name, corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: name, DefaultMode: ptr.To(int32(0o440))}}, true)
	}
	for i, name := range refs.claims {
		m.add(fmt.Sprintf("claim-%d", i), mountsDir+"/volumes/"+name, corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}, false)
	}
	for i, path := range refs.hostPaths {
		m.add(fmt.Sprintf("host-%d", i), path, corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: path, Type: ptr.To(corev1.HostPathDirectory)}}, false)
	}
	return m
}

func scratch() corev1.VolumeSource {
	return corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: ptr.To(scratchLimit.DeepCopy())}}
}

// token is what automounting would give, but to one container only.
func token() corev1.VolumeSource {
	return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		DefaultMode: ptr.To(int32(0o440)),
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: ptr.To(int64(3600))}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
				Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
				Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}}}},
		}}}
}

// subcommand is the worker's subcommand for an action.
func subcommand(action runspec.Action) []string {
	switch action {
	case runspec.ActionTableApply:
		return []string{"table", "apply"}
	case runspec.ActionTableInspect:
		return []string{"table", "inspect"}
	default:
		return []string{"run"}
	}
}
