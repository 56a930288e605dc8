package ledgerref_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/ledgerref"
)

func TestMain(m *testing.M) { apitest.Main(m) }

func TestResolve(t *testing.T) {
	namespace := apitest.Namespace(t)
	ledger := func(name string, ready metav1.ConditionStatus, change func(*v1alpha1.LineageLedger)) {
		object := &v1alpha1.LineageLedger{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		change(object)
		if err := apitest.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		object.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: ready, Reason: "Reason",
			Message: "as it is", ObservedGeneration: object.Generation, LastTransitionTime: metav1.Now()}}
		if err := apitest.Client.Status().Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	asIs := func(*v1alpha1.LineageLedger) {}
	ledger("ready", metav1.ConditionTrue, asIs)
	ledger("starting", metav1.ConditionFalse, asIs)
	ledger("suspended", metav1.ConditionTrue, func(l *v1alpha1.LineageLedger) { l.Spec.Suspend = ptr.To(true) })
	for name, tc := range map[string]struct {
		ref     *v1alpha1.LocalRef
		lineage v1alpha1.LineagePolicy
		wait    string // part of it; "none" when the ledger is there
	}{
		"no lineage":      {&v1alpha1.LocalRef{Name: "missing"}, v1alpha1.LineageDisabled, ""},
		"no reference":    {nil, "", ""},
		"ready":           {&v1alpha1.LocalRef{Name: "ready"}, v1alpha1.LineageEnabled, "none"},
		"missing":         {&v1alpha1.LocalRef{Name: "missing"}, "", `"missing" does not exist in namespace ` + namespace},
		"starting":        {&v1alpha1.LocalRef{Name: "starting"}, "", "not ready: Reason: as it is"},
		"suspended":       {&v1alpha1.LocalRef{Name: "suspended"}, "", "is suspended"},
		"of another kind": {&v1alpha1.LocalRef{Name: "kube-root-ca.crt"}, "", "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			found, wait, err := ledgerref.Resolve(t.Context(), apitest.Client, namespace, tc.ref, tc.lineage)
			switch {
			case err != nil:
				t.Fatal(err)
			case tc.wait == "none" && (found == nil || wait != ""):
				t.Fatalf("waits: %s", wait)
			case tc.wait == "none":
				if found.Endpoint != ledgerref.Endpoint(namespace, "ready") || found.TokenSecret != ledgerref.TokenSecretName("ready") {
					t.Errorf("found %+v", found)
				}
			case found != nil || !strings.Contains(wait, tc.wait) || (tc.wait == "") != (wait == ""):
				t.Errorf("ledger %+v, wait %q; want %q", found, wait, tc.wait)
			}
		})
	}
}

func TestNamesFitTheirBounds(t *testing.T) {
	longest := "a" + strings.Repeat("b", 39)
	// A StatefulSet adds -<10 digits> to the label of its revision.
	for _, name := range []string{ledgerref.ServerName(longest) + "-1234567890", ledgerref.TokenSecretName(longest)} {
		if problems := validation.IsDNS1035Label(name); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
	if ledgerref.ServerName("a") == ledgerref.TokenSecretName("a") || ledgerref.ServerName("a") == ledgerref.ServerName("b") {
		t.Error("two things have one name")
	}
}
