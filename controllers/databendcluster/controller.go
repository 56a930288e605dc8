// Package databendcluster answers for DatabendCluster, whose controller is not part of this version.
package databendcluster

import (
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/unavailable"
)

// Setup adds the controller to mgr.
func Setup(mgr ctrl.Manager) error {
	return unavailable.Setup(mgr, "DatabendCluster", func(c *v1alpha1.DatabendCluster) *v1alpha1.SharedStatus { return &c.Status.SharedStatus })
}
