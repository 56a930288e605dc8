package unavailable_test

import (
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/yaml"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/databendcluster"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/kindtest"
	"github.com/amdgpu-framework/datastack/controllers/reverseetlsync"
)

func TestMain(m *testing.M) { apitest.Main(m) }

const cluster = `
spec:
  version: 1.2.881
  tenant: analytics
  meta: {replicas: 3, volume: {size: 100Gi}}
  query: {replicas: 1}
  storage: {type: s3, s3: {bucket: warehouse, credentialsSecretRef: {name: s3}}}
  lineage: Disabled
`

const sync = `
spec:
  source: {databendClusterRef: {name: warehouse}, query: SELECT 1 AS id}
  primaryKey: [id]
  mode: Append
  mapping: [{to: Id, from: id}]
  destinations: [{name: crm, type: http, http: {url: "https://crm.internal/api", method: POST}}]
  lineage: Disabled
`

func TestKindsWithoutAControllerSaySo(t *testing.T) {
	for kind, tc := range map[string]struct {
		object client.Object
		text   string
		setup  func(manager.Manager) error
		status func(client.Object) v1alpha1.SharedStatus
	}{
		"DatabendCluster": {&v1alpha1.DatabendCluster{}, cluster, databendcluster.Setup,
			func(o client.Object) v1alpha1.SharedStatus { return o.(*v1alpha1.DatabendCluster).Status.SharedStatus }},
		"ReverseETLSync": {&v1alpha1.ReverseETLSync{}, sync, reverseetlsync.Setup,
			func(o client.Object) v1alpha1.SharedStatus { return o.(*v1alpha1.ReverseETLSync).Status.SharedStatus }},
	} {
		t.Run(kind, func(t *testing.T) {
			namespace := apitest.Namespace(t)
			apitest.Manager(t, namespace, tc.setup)
			if err := yaml.UnmarshalStrict([]byte(tc.text), tc.object); err != nil {
				t.Fatal(err)
			}
			tc.object.SetNamespace(namespace)
			tc.object.SetName("it")
			if err := apitest.Client.Create(t.Context(), tc.object); err != nil {
				t.Fatal(err)
			}
			key := client.ObjectKeyFromObject(tc.object)
			kindtest.Eventually(t, func() string {
				if err := apitest.Client.Get(t.Context(), key, tc.object); err != nil {
					return err.Error()
				}
				list := tc.status(tc.object).Conditions
				if wrong := kindtest.Condition(list, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonControllerNotAvailable); wrong != "" {
					return wrong
				}
				return kindtest.Invariants(list, tc.object.GetGeneration())
			})
			ready := meta.FindStatusCondition(tc.status(tc.object).Conditions, v1alpha1.ConditionReady)
			if !strings.Contains(ready.Message, kind) {
				t.Errorf("the message does not name the kind: %q", ready.Message)
			}
			kindtest.Eventually(t, func() string { return eventFor(t, namespace, kind) })
			if got := apitest.KStatus(t, kind, key); got != status.FailedStatus {
				t.Errorf("kstatus %s, want Failed", got)
			}
		})
	}
}

func eventFor(t *testing.T, namespace, kind string) string {
	t.Helper()
	var events eventsv1.EventList
	if err := apitest.Client.List(t.Context(), &events, client.InNamespace(namespace)); err != nil {
		return err.Error()
	}
	for _, event := range events.Items {
		if event.Regarding.Kind == kind && event.Reason == v1alpha1.ReasonControllerNotAvailable {
			return ""
		}
	}
	return "no event says that the controller is missing"
}
