package etlpipeline

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
)

func TestMain(m *testing.M) { apitest.Main(m) }

// startManager runs the controller with the rights that the manifests give, and a
// back-off that a test can wait for.
func startManager(t *testing.T, maxRuns int) {
	t.Helper()
	apitest.Manager(t, metav1.NamespaceAll, func(mgr manager.Manager) error {
		return newReconciler(mgr, maxRuns).SetupWithManager(mgr)
	})
}

func newReconciler(mgr ctrl.Manager, maxRuns int) *Reconciler {
	config := runs.Config{WorkerImage: "datastack/gpuworker:test", EngineImage: "datastack/engine:test", ImageAllowlist: []string{"registry.example/etl:*"}}
	return &Reconciler{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("etlpipeline"),
		Starter: runs.Starter{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Config: config},
		Quota:   &Quota{Max: maxRuns}, Now: time.Now,
		Backoff: func(int32) time.Duration { return 100 * time.Millisecond },
	}
}
