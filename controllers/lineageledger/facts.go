package lineageledger

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// facts are the ledger's children as the cache shows them, nil where absent, and what else the verdict rests on.
type facts struct {
	account *corev1.ServiceAccount
	service *corev1.Service
	policy  *networkingv1.NetworkPolicy
	claim   *corev1.PersistentVolumeClaim
	server  *appsv1.StatefulSet
	pod     *corev1.Pod
	// imageRefusal says why the image that the spec asks for is not allowed.
	imageRefusal string
	// checkpoint is nil when ledgerd was not asked or did not answer.
	checkpoint *checkpoint
}

func (r *Reconciler) gather(ctx context.Context, ledger *v1alpha1.LineageLedger) (facts, error) {
	f, err := children(ctx, r.Client, ledger)
	if err != nil {
		return f, err
	}
	images := runs.Config{WorkerImage: r.Image, ImageAllowlist: r.ImageAllowlist}
	if err := images.Check(runs.Order{Spec: &runspec.RunSpec{}, Worker: ledger.Spec.Worker}); err != nil {
		f.imageRefusal = err.Error()
	}
	if f.serving() {
		// Size and root are news, not a condition: without an answer the last ones stay.
		if f.checkpoint, err = askCheckpoint(ctx, r.Endpoint(ledger.Namespace, ledger.Name)); err != nil {
			log.FromContext(ctx).V(4).Info("Leaving size and root as they are", "reason", err.Error())
		}
	}
	return f, nil
}

func children(ctx context.Context, c client.Reader, ledger *v1alpha1.LineageLedger) (f facts, err error) {
	key := client.ObjectKey{Namespace: ledger.Namespace, Name: serverName(ledger)}
	podKey := client.ObjectKey{Namespace: key.Namespace, Name: key.Name + "-0"}
	if f.account, err = find(ctx, c, key, &corev1.ServiceAccount{}); err != nil {
		return f, err
	}
	if f.service, err = find(ctx, c, key, &corev1.Service{}); err != nil {
		return f, err
	}
	if f.policy, err = find(ctx, c, key, &networkingv1.NetworkPolicy{}); err != nil {
		return f, err
	}
	if f.claim, err = find(ctx, c, key, &corev1.PersistentVolumeClaim{}); err != nil {
		return f, err
	}
	if f.server, err = find(ctx, c, key, &appsv1.StatefulSet{}); err != nil {
		return f, err
	}
	f.pod, err = find(ctx, c, podKey, &corev1.Pod{})
	return f, err
}

// find returns nil for an object that is not there.
func find[T client.Object](ctx context.Context, c client.Reader, key client.ObjectKey, obj T) (T, error) {
	var absent T
	err := c.Get(ctx, key, obj)
	switch {
	case apierrors.IsNotFound(err):
		return absent, nil
	case err != nil:
		return absent, fmt.Errorf("read %T %s: %w", obj, key, err)
	}
	return obj, nil
}

// serving says whether the newest revision of ledgerd answers.
func (f facts) serving() bool {
	s := f.server
	return s != nil && s.Status.ObservedGeneration == s.Generation &&
		s.Status.ReadyReplicas == 1 && s.Status.UpdatedReplicas == 1 &&
		s.Status.CurrentRevision == s.Status.UpdateRevision
}
