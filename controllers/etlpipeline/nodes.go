package etlpipeline

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/placement"
)

// gatherNodes reads the nodes only for pipelines that want a GPU.
func (x *pass) gatherNodes(ctx context.Context) error {
	gpu := gpuOf(&x.pipeline.Spec)
	if !placement.Wanted(gpu) {
		return nil
	}
	var nodes corev1.NodeList
	if err := x.Client.List(ctx, &nodes); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	x.nodes = nodes.Items
	if fits, _ := placement.Explain(gpu, x.nodes); fits {
		return nil
	}
	return x.gatherDRA(ctx, gpu)
}

// gatherDRA adds what DRA drivers offer, when the nodes alone do not fit. It asks the
// API server itself: a cache of these lists would serve nothing else. Clusters without
// the API, and managers without the right, go on without.
func (x *pass) gatherDRA(ctx context.Context, gpu *v1alpha1.GPU) error {
	var classes resourcev1.DeviceClassList
	var slices resourcev1.ResourceSliceList
	for _, list := range []client.ObjectList{&classes, &slices} {
		switch err := x.Reader.List(ctx, list); {
		case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
			return nil
		case apierrors.IsForbidden(err):
			x.draHidden = true
			return nil
		case err != nil:
			return fmt.Errorf("list what DRA drivers offer: %w", err)
		}
	}
	x.nodes = placement.WithDRA(x.nodes, placement.ResourceName(gpu), classes.Items, slices.Items)
	return nil
}

// explain is placement.Explain over the nodes, and says what it could not look at.
func (x *pass) explain(gpu *v1alpha1.GPU) (fits bool, why string) {
	fits, why = placement.Explain(gpu, x.nodes)
	if !fits && x.draHidden {
		why += "; devices of DRA drivers are not counted, because the manager may not list resourceslices and deviceclasses"
	}
	return fits, why
}
