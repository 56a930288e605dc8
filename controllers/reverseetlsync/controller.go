// Package reverseetlsync answers for ReverseETLSync, whose controller is not part of this version.
package reverseetlsync

import (
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/unavailable"
)

// Setup adds the controller to mgr.
func Setup(mgr ctrl.Manager) error {
	return unavailable.Setup(mgr, "ReverseETLSync", func(s *v1alpha1.ReverseETLSync) *v1alpha1.SharedStatus { return &s.Status.SharedStatus })
}
