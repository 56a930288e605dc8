package runs

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/placement"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// Config is what the manager's flags say about worker pods.
type Config struct {
	// WorkerImage and EngineImage are used where the object names no image.
	WorkerImage, EngineImage string
	// ImageAllowlist are the images that objects may ask for: exact names, or prefixes
	// that end in "*". Empty: none but WorkerImage.
	ImageAllowlist []string
	// HostPathPrefix is the folder under which hostPath storage may lie; empty refuses all.
	HostPathPrefix string
}

// Order asks for the pods of one phase of an attempt.
type Order struct {
	// Owner is the custom resource: its identity and its plural resource name.
	Owner    metav1.OwnerReference
	Resource string
	// Spec is the RunSpec that the attempt's ConfigMap holds.
	Spec *runspec.RunSpec
	// Phase is handed to the worker by flag; table actions have none.
	Phase runspec.Phase
	// Shards is the number of pods: over 1 it becomes an Indexed Job.
	Shards int32
	// Timeout bounds one pod's running time; zero is no bound.
	Timeout time.Duration
	// NeedsEngine adds the container that runs Polars and DataFusion.
	NeedsEngine bool
	Worker      *v1alpha1.Worker
	Placement   placement.Placement
	// Annotations are set on the Job.
	Annotations map[string]string
}

// JobName is the name of the Job that the order becomes.
func (o Order) JobName() string { return JobName(o.Spec.Run, o.Spec.Attempt, o.Phase) }

// AccountName is the ServiceAccount (and Role, and RoleBinding) of the object's pods.
func (o Order) AccountName() string {
	return ChildName(o.Spec.Object.Kind, o.Spec.Object.Name, "worker")
}

func (o Order) objectLabels() map[string]string {
	return map[string]string{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedBy,
		v1alpha1.LabelKind:      o.Spec.Object.Kind,
		v1alpha1.LabelName:      o.Spec.Object.Name,
		LabelUID:                o.Spec.Object.UID,
	}
}

func (o Order) attemptLabels() map[string]string {
	labels := o.objectLabels()
	labels[v1alpha1.LabelRun] = o.Spec.Run
	labels[v1alpha1.LabelAttempt] = strconv.Itoa(int(o.Spec.Attempt))
	return labels
}

func (o Order) jobLabels() map[string]string {
	labels := o.attemptLabels()
	labels[v1alpha1.LabelPhase] = string(o.Phase)
	return labels
}

// RefusedError is an order that the manager's flags do not allow; Reason is for conditions.
type RefusedError struct{ Reason, Message string }

func (e *RefusedError) Error() string { return e.Message }

// Check says why the manager's flags refuse the order's image or folders, or nil.
func (c Config) Check(o Order) error {
	if image := c.workerImage(o.Worker); image != c.WorkerImage && !c.allowed(image) {
		return &RefusedError{Reason: v1alpha1.ReasonImageNotAllowed, Message: fmt.Sprintf(
			"worker image %q is not on the manager's allow list: remove spec.worker.image or ask for an entry in --worker-image-allowlist", image)}
	}
	for _, folder := range referencesOf(o.Spec).hostPaths {
		if !within(c.HostPathPrefix, folder) {
			return &RefusedError{Reason: v1alpha1.ReasonHostPathNotAllowed, Message: fmt.Sprintf(
				"hostPath %q is refused: use a volume, or run the manager with --allow-host-path=PREFIX where PREFIX holds that folder", folder)}
		}
	}
	return nil
}

func (c Config) workerImage(w *v1alpha1.Worker) string {
	if w != nil && w.Image != "" {
		return w.Image
	}
	return c.WorkerImage
}

func (c Config) allowed(image string) bool {
	for _, entry := range c.ImageAllowlist {
		prefix, wild := strings.CutSuffix(entry, "*")
		if image == entry || wild && strings.HasPrefix(image, prefix) {
			return true
		}
	}
	return false
}

// within says whether folder is prefix or lies under it, with ".." resolved.
func within(prefix, folder string) bool {
	if prefix == "" || !path.IsAbs(folder) {
		return false
	}
	prefix, folder = path.Clean(prefix), path.Clean(folder)
	return folder == prefix || prefix == "/" || strings.HasPrefix(folder, prefix+"/")
}

func pullPolicy(w *v1alpha1.Worker) corev1.PullPolicy {
	if w != nil && w.ImagePullPolicy != "" {
		return w.ImagePullPolicy
	}
	return corev1.PullIfNotPresent
}
