package runs

import (
	"maps"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

const (
	workerContainer = "worker"
	engineContainer = "engine"
	// user is the unprivileged user and group of every worker pod.
	user = 65532
	// graceSeconds lets a commit that has begun finish after SIGTERM.
	graceSeconds = 120
)

// pod builds the template: it meets the restricted Pod Security Standard, save for
// hostPath volumes, which the manager refuses unless a flag allows them.
func (c Config) pod(o Order) corev1.PodTemplateSpec {
	w := o.Worker
	if w == nil {
		w = &v1alpha1.Worker{}
	}
	labels := maps.Clone(w.PodLabels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, o.jobLabels())

	mounts := mountsOf(o)
	spec := corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		ServiceAccountName:            o.AccountName(),
		AutomountServiceAccountToken:  ptr.To(false),
		EnableServiceLinks:            ptr.To(false),
		TerminationGracePeriodSeconds: ptr.To(int64(graceSeconds)),
		PriorityClassName:             w.PriorityClassName,
		NodeSelector:                  w.NodeSelector,
		Tolerations:                   append(append([]corev1.Toleration{}, w.Tolerations...), o.Placement.Tolerations...),
		Affinity:                      o.Placement.Affinity(w.Affinity),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To(int64(user)), RunAsGroup: ptr.To(int64(user)),
			FSGroup: ptr.To(int64(user)),
			// A large volume need not be walked at every run.
			FSGroupChangePolicy: ptr.To(corev1.FSGroupChangeOnRootMismatch),
			SeccompProfile:      &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Volumes:    mounts.volumes,
		Containers: []corev1.Container{c.worker(o, w, mounts)},
	}
	for _, secret := range w.ImagePullSecrets {
		spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: secret.Name})
	}
	if o.Timeout > 0 {
		spec.ActiveDeadlineSeconds = ptr.To(int64(o.Timeout.Seconds()))
	}
	if o.NeedsEngine {
		spec.InitContainers = []corev1.Container{c.engine(w)}
	}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: w.PodAnnotations},
		Spec:       spec,
	}
}

func (c Config) worker(o Order, w *v1alpha1.Worker, mounts mounts) corev1.Container {
	container := corev1.Container{
		Name: workerContainer, Image: c.workerImage(w), ImagePullPolicy: pullPolicy(w),
		Args: workerArgs(o),
		Env: []corev1.EnvVar{
			fromField("DATASTACK_POD_NAME", "metadata.name"),
			fromField("DATASTACK_POD_NAMESPACE", "metadata.namespace"),
			{Name: "TMPDIR", Value: scratchDir},
		},
		Ports:                  []corev1.ContainerPort{{Name: "metrics", ContainerPort: 9090}},
		Resources:              workerResources(w, o.Placement),
		VolumeMounts:           mounts.worker,
		SecurityContext:        locked(),
		TerminationMessagePath: corev1.TerminationMessagePathDefault,
		// A crash leaves no message of the worker's own; the end of its log then says why.
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
	if o.Shards > 1 {
		container.Env = append(container.Env, fromField("DATASTACK_SHARD", "metadata.labels['batch.kubernetes.io/job-completion-index']"))
	}
	for _, env := range w.Env {
		container.Env = append(container.Env, corev1.EnvVar{Name: env.Name, Value: env.Value})
	}
	return container
}

// engine is a sidecar (a restartable init container): it starts before the worker
// and does not keep the Job from completing. It holds no token and no credentials.
func (c Config) engine(w *v1alpha1.Worker) corev1.Container {
	resources := w.EngineResources
	if resources == nil {
		resources = w.Resources
	}
	effective := resourcesOr(resources)
	args := []string{"--socket", engineDir + "/engine.sock", "--scratch", engineDir + "/scratch"}
	if limit := effective.Limits.Memory().Value(); limit > 0 {
		// The other half is for the interpreter, its libraries and batches in flight.
		args = append(args, "--memory-bytes", strconv.FormatInt(limit/2, 10))
	}
	return corev1.Container{
		Name: engineContainer, Image: c.EngineImage, ImagePullPolicy: pullPolicy(w),
		RestartPolicy:   ptr.To(corev1.ContainerRestartPolicyAlways),
		Args:            args,
		Env:             []corev1.EnvVar{{Name: "TMPDIR", Value: engineDir}},
		Resources:       effective,
		VolumeMounts:    []corev1.VolumeMount{{Name: "engine", MountPath: engineDir}},
		SecurityContext: locked(),
	}
}

// workerArgs is the command line; the image's entry point is the worker binary.
func workerArgs(o Order) []string {
	args := append([]string{}, subcommand(o.Spec.Action)...)
	args = append(args, "--spec", runDir+"/"+specKey, "--mounts", mountsDir)
	if o.Phase != "" {
		args = append(args, "--phase", string(o.Phase))
	}
	if o.Shards > 1 {
		args = append(args, "--shard", "$(DATASTACK_SHARD)")
	}
	return args
}

func workerResources(w *v1alpha1.Worker, p interface {
	Resources() corev1.ResourceList
}) corev1.ResourceRequirements {
	r := resourcesOr(w.Resources)
	if r.Limits == nil && len(p.Resources()) > 0 {
		r.Limits = corev1.ResourceList{}
	}
	maps.Copy(r.Limits, p.Resources())
	return r
}

// resourcesOr fills in the documented default: a quarter of a CPU and 512Mi requested, no more than 4Gi used.
func resourcesOr(r *corev1.ResourceRequirements) corev1.ResourceRequirements {
	if r != nil {
		return *r.DeepCopy()
	}
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("512Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("4Gi")},
	}
}

func locked() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false),
		ReadOnlyRootFilesystem:   ptr.To(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

func fromField(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}}
}
