// Package volumes provisions persistent volumes as folders of the node.
package volumes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

const provisionerName = "localcluster/volumes"

// Run provisions and deletes volumes until the context ends.
func Run(ctx context.Context, kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("read the provisioner's kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make the provisioner's client: %w", err)
	}
	// Only one provisioner runs in a cluster, so it need not be elected.
	controller.NewProvisionController(ctx, client, provisionerName, folders{root: layout.Inside().Volumes()},
		controller.LeaderElection(false)).Run(ctx)
	return nil
}

// folders makes one folder below root for each volume.
type folders struct{ root string }

// Provision creates the folder and describes it. Any user may write there, since the folder serves one claim only and
// pods run as users that the provisioner cannot know.
func (f folders) Provision(_ context.Context, o controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	if mode := o.PVC.Spec.VolumeMode; mode != nil && *mode == corev1.PersistentVolumeBlock {
		return nil, controller.ProvisioningFinished, fmt.Errorf("the class %q has folders only: claim %s/%s asks for volumeMode Block, expected Filesystem", layout.StorageClass, o.PVC.Namespace, o.PVC.Name)
	}
	path := filepath.Join(f.root, o.PVName)
	if err := os.MkdirAll(path, 0o777); err != nil { //nolint:gosec // pods write as any user
		return nil, controller.ProvisioningFinished, fmt.Errorf("create the volume's folder: %w", err)
	}
	// The umask took bits from the mode given above.
	if err := os.Chmod(path, 0o777); err != nil { //nolint:gosec // pods write as any user
		return nil, controller.ProvisioningFinished, fmt.Errorf("open the volume's folder to pods: %w", err)
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			AccessModes:                   o.PVC.Spec.AccessModes,
			VolumeMode:                    o.PVC.Spec.VolumeMode,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: o.PVC.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeSource:        corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: path}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{layout.NodeName},
				}},
			}}}},
		},
	}, controller.ProvisioningFinished, nil
}

// Delete removes the folder with what is in it.
func (f folders) Delete(_ context.Context, volume *corev1.PersistentVolume) error {
	local := volume.Spec.Local
	if local == nil || filepath.Dir(filepath.Clean(local.Path)) != f.root {
		return fmt.Errorf("volume %s is no folder below %s; it is left alone", volume.Name, f.root)
	}
	if err := os.RemoveAll(local.Path); err != nil {
		return fmt.Errorf("remove the volume's folder: %w", err)
	}
	return nil
}
