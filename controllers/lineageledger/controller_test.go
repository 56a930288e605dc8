package lineageledger

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/ledgerref"
)

func TestMain(m *testing.M) { apitest.Main(m) }

const (
	timeout = 20 * time.Second
	root    = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
)

// start runs the controller; every ledger's look at its size goes to a server of the test's own.
func start(t *testing.T, namespace string) {
	t.Helper()
	rootBytes := make([]byte, 32)
	_, _ = fmt.Sscanf(root, "%x", &rootBytes)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"size":"42","rootHash":%q}`, base64.StdEncoding.EncodeToString(rootBytes))
	}))
	t.Cleanup(server.Close)
	apitest.Manager(t, namespace, func(mgr manager.Manager) error {
		return Setup(mgr, Options{Image: "ledgerd:test", ImageAllowlist: []string{"mirror/*"}, ManagerNamespace: apitest.SystemNamespace,
			Endpoint: func(string, string) string { return server.URL }})
	})
}

func newLedger(namespace string, change ...func(*v1alpha1.LineageLedger)) *v1alpha1.LineageLedger {
	ledger := &v1alpha1.LineageLedger{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "audit"},
		Spec:       v1alpha1.LineageLedgerSpec{Volume: &v1alpha1.VolumeClaim{Size: resource.MustParse("5Gi")}},
	}
	for _, c := range change {
		c(ledger)
	}
	return ledger
}

func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := apitest.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

func get[T client.Object](t *testing.T, g Gomega, namespace, name string, object T) T {
	t.Helper()
	g.Expect(apitest.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object)).To(Succeed())
	return object
}

func serverIn(t *testing.T, g Gomega, namespace string) *appsv1.StatefulSet {
	t.Helper()
	return get(t, g, namespace, ledgerref.ServerName("audit"), &appsv1.StatefulSet{})
}

// serve reports what the StatefulSet controller reports once the pod is ready.
func serve(t *testing.T, namespace string) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		server := serverIn(t, g, namespace)
		server.Status = appsv1.StatefulSetStatus{
			ObservedGeneration: server.Generation, Replicas: 1, ReadyReplicas: 1, UpdatedReplicas: 1,
			CurrentRevision: "r1", UpdateRevision: "r1",
		}
		g.Expect(apitest.Client.Status().Update(t.Context(), server)).To(Succeed())
	}).WithTimeout(timeout).Should(Succeed())
}

// await the Ready condition, and answer with the ledger that shows it.
func await(t *testing.T, namespace string, want metav1.ConditionStatus, reason string) *v1alpha1.LineageLedger {
	t.Helper()
	ledger := &v1alpha1.LineageLedger{}
	NewWithT(t).Eventually(func(g Gomega) {
		get(t, g, namespace, "audit", ledger)
		ready := meta.FindStatusCondition(ledger.Status.Conditions, v1alpha1.ConditionReady)
		g.Expect(ready).NotTo(BeNil())
		g.Expect(string(ready.Status)+" "+ready.Reason).To(Equal(string(want)+" "+reason), ready.Message)
		g.Expect(ready.ObservedGeneration).To(Equal(ledger.Generation))
	}).WithTimeout(timeout).Should(Succeed())
	return ledger
}

func expectKStatus(t *testing.T, namespace string, want status.Status) {
	t.Helper()
	NewWithT(t).Eventually(func() status.Status {
		return apitest.KStatus(t, "LineageLedger", client.ObjectKey{Namespace: namespace, Name: "audit"})
	}).WithTimeout(timeout).Should(Equal(want))
}

func message(ledger *v1alpha1.LineageLedger) string {
	return meta.FindStatusCondition(ledger.Status.Conditions, v1alpha1.ConditionReady).Message
}

func TestLedgerServes(t *testing.T) {
	g, namespace := NewWithT(t), apitest.Namespace(t)
	start(t, namespace)
	create(t, newLedger(namespace, func(l *v1alpha1.LineageLedger) {
		l.Spec.Chain = &v1alpha1.LedgerChain{Type: v1alpha1.ChainDevelopment, Development: &v1alpha1.DevelopmentChain{}}
	}))
	await(t, namespace, metav1.ConditionFalse, v1alpha1.ReasonProgressing)
	expectKStatus(t, namespace, status.InProgressStatus)

	serve(t, namespace)
	ledger := await(t, namespace, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	g.Expect(message(ledger)).To(ContainSubstring("without effect: spec.chain"))
	anchoring := meta.FindStatusCondition(ledger.Status.Conditions, v1alpha1.ConditionAnchoring)
	g.Expect(anchoring).NotTo(BeNil())
	g.Expect(anchoring.Status).To(Equal(metav1.ConditionFalse))
	g.Expect(anchoring.Reason).To(Equal("ChainNotAvailable"))
	g.Expect(ledger.Status.Anchored).To(BeFalse())
	g.Expect(ledger.Status.Size).To(Equal(int64(42)))
	g.Expect(ledger.Status.Root).To(Equal(root))
	g.Expect(ledger.Status.Endpoint).To(Equal("http://" + ledgerref.ServerName("audit") + "." + namespace + ".svc:8080"))

	token := get(t, g, namespace, ledger.Status.TokenSecretName, &corev1.Secret{})
	g.Expect(token.Data["token"]).To(HaveLen(43))
	claim := get(t, g, namespace, ledgerref.ServerName("audit"), &corev1.PersistentVolumeClaim{})
	g.Expect(claim.Spec.Resources.Requests.Storage().String()).To(Equal("5Gi"))
	for _, keeps := range []client.Object{token, claim} {
		g.Expect(keeps.GetOwnerReferences()).To(BeEmpty(), "%s would go with the ledger", keeps.GetName())
	}
	pod := serverIn(t, g, namespace).Spec.Template.Spec
	g.Expect(pod.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
	g.Expect(pod.SecurityContext.RunAsNonRoot).To(HaveValue(BeTrue()))
	policy := get(t, g, namespace, ledgerref.ServerName("audit"), &networkingv1.NetworkPolicy{})
	g.Expect(policy.Spec.Egress).To(BeEmpty(), "ledgerd may call somebody")
	g.Expect(policy.Spec.Ingress).To(HaveLen(1))
	g.Expect(policy.Spec.Ingress[0].From).To(HaveLen(2))
	g.Expect(policy.Spec.Ingress[0].From[0].NamespaceSelector).To(BeNil(), "pods of other namespaces get in")
	g.Expect(policy.Spec.Ingress[0].From[1].NamespaceSelector.MatchLabels).To(HaveKeyWithValue("kubernetes.io/metadata.name", "datastack-system"))
	expectKStatus(t, namespace, status.CurrentStatus)
}

func TestLedgerIsQuietWhenNothingChanges(t *testing.T) {
	g, namespace := NewWithT(t), apitest.Namespace(t)
	start(t, namespace)
	create(t, newLedger(namespace))
	serve(t, namespace)
	await(t, namespace, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	ledger := &v1alpha1.LineageLedger{}
	versions := func() []string {
		return []string{
			get(t, g, namespace, "audit", ledger).ResourceVersion,
			serverIn(t, g, namespace).ResourceVersion,
			get(t, g, namespace, ledgerref.ServerName("audit"), &corev1.Service{}).ResourceVersion,
		}
	}
	before := versions()
	g.Consistently(versions).WithTimeout(2 * time.Second).WithPolling(200 * time.Millisecond).Should(Equal(before))
}

func TestTokenThatExistsIsAdopted(t *testing.T) {
	g, namespace := NewWithT(t), apitest.Namespace(t)
	own := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ledgerref.TokenSecretName("audit")},
		Data:       map[string][]byte{"token": []byte("chosen by a person")},
	}
	create(t, own)
	start(t, namespace)
	create(t, newLedger(namespace))
	serve(t, namespace)
	await(t, namespace, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	g.Expect(get(t, g, namespace, own.Name, &corev1.Secret{}).Data["token"]).To(Equal([]byte("chosen by a person")))
	expectKStatus(t, namespace, status.CurrentStatus)
}

func TestPurgeTakesVolumeAndTokenAlong(t *testing.T) {
	g, namespace := NewWithT(t), apitest.Namespace(t)
	start(t, namespace)
	ledger := newLedger(namespace, func(l *v1alpha1.LineageLedger) { l.Spec.DeletionPolicy = v1alpha1.DeletionPurge })
	create(t, ledger)
	serve(t, namespace)
	await(t, namespace, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	for _, goes := range []client.Object{
		get(t, g, namespace, ledgerref.TokenSecretName("audit"), &corev1.Secret{}),
		get(t, g, namespace, ledgerref.ServerName("audit"), &corev1.PersistentVolumeClaim{}),
	} {
		g.Expect(metav1.IsControlledBy(goes, ledger)).To(BeTrue(), "%s would stay", goes.GetName())
	}
	expectKStatus(t, namespace, status.CurrentStatus)
}

func TestVolumeGrowsAndNeverShrinks(t *testing.T) {
	g, namespace := NewWithT(t), apitest.Namespace(t)
	create(t, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: namespace}, Provisioner: "test", AllowVolumeExpansion: ptr.To(true)})
	start(t, namespace)
	ofSize := func(size string) func(*v1alpha1.LineageLedger) {
		return func(l *v1alpha1.LineageLedger) {
			l.Spec.Volume = &v1alpha1.VolumeClaim{Size: resource.MustParse(size), StorageClassName: &namespace}
		}
	}
	ledger := newLedger(namespace, ofSize("5Gi"))
	create(t, ledger)
	serve(t, namespace)
	await(t, namespace, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	claim := get(t, g, namespace, ledgerref.ServerName("audit"), &corev1.PersistentVolumeClaim{})
	claim.Status.Phase = corev1.ClaimBound
	g.Expect(apitest.Client.Status().Update(t.Context(), claim)).To(Succeed())

	get(t, g, namespace, "audit", ledger)
	ofSize("8Gi")(ledger)
	g.Expect(apitest.Client.Update(t.Context(), ledger)).To(Succeed())
	g.Eventually(func(g Gomega) {
		claim := get(t, g, namespace, ledgerref.ServerName("audit"), &corev1.PersistentVolumeClaim{})
		g.Expect(claim.Spec.Resources.Requests.Storage().String()).To(Equal("8Gi"))
	}).WithTimeout(timeout).Should(Succeed())

	// The volume outlives its ledger, so a new ledger may ask for less than it has. It goes on with the log.
	g.Expect(apitest.Client.Delete(t.Context(), ledger)).To(Succeed())
	create(t, newLedger(namespace, ofSize("1Gi")))
	serve(t, namespace)
	ledger = await(t, namespace, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	g.Expect(message(ledger)).To(ContainSubstring("the volume has 8Gi"))
	g.Expect(get(t, g, namespace, ledgerref.ServerName("audit"), &corev1.PersistentVolumeClaim{}).Spec.Resources.Requests.Storage().String()).To(Equal("8Gi"))
	expectKStatus(t, namespace, status.CurrentStatus)
}

func TestSuspendStopsTheServerAndResumes(t *testing.T) {
	g, namespace := NewWithT(t), apitest.Namespace(t)
	start(t, namespace)
	ledger := newLedger(namespace)
	create(t, ledger)
	serve(t, namespace)
	await(t, namespace, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)

	suspend := func(value bool) {
		patch := client.MergeFrom(ledger.DeepCopy())
		ledger.Spec.Suspend = &value
		g.Expect(apitest.Client.Patch(t.Context(), ledger, patch)).To(Succeed())
	}
	suspend(true)
	g.Eventually(func(g Gomega) { g.Expect(serverIn(t, g, namespace).Spec.Replicas).To(HaveValue(BeZero())) }).WithTimeout(timeout).Should(Succeed())
	server := serverIn(t, g, namespace)
	server.Status = appsv1.StatefulSetStatus{ObservedGeneration: server.Generation}
	g.Expect(apitest.Client.Status().Update(t.Context(), server)).To(Succeed())
	await(t, namespace, metav1.ConditionTrue, v1alpha1.ReasonSuspended)
	expectKStatus(t, namespace, status.CurrentStatus)

	suspend(false)
	await(t, namespace, metav1.ConditionFalse, v1alpha1.ReasonProgressing)
	g.Eventually(func(g Gomega) { g.Expect(serverIn(t, g, namespace).Spec.Replicas).To(HaveValue(BeEquivalentTo(1))) }).WithTimeout(timeout).Should(Succeed())
	serve(t, namespace)
	await(t, namespace, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	expectKStatus(t, namespace, status.CurrentStatus)
}

func TestCrashingServerStalls(t *testing.T) {
	g, namespace := NewWithT(t), apitest.Namespace(t)
	start(t, namespace)
	create(t, newLedger(namespace))
	await(t, namespace, metav1.ConditionFalse, v1alpha1.ReasonProgressing)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ledgerref.ServerName("audit") + "-0", Labels: serverIn(t, g, namespace).Spec.Template.Labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "ledgerd", Image: "ledgerd:test"}}},
	}
	create(t, pod)
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "ledgerd", RestartCount: 3,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 40s"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 1, Reason: "Error", Message: "opening the log\nsegment 3 is damaged at byte 4096\n"}},
	}}
	g.Expect(apitest.Client.Status().Update(t.Context(), pod)).To(Succeed())
	ledger := await(t, namespace, metav1.ConditionFalse, reasonServerFailing)
	g.Expect(message(ledger)).To(And(ContainSubstring("segment 3 is damaged at byte 4096"), Not(ContainSubstring("opening the log"))))
	expectKStatus(t, namespace, status.FailedStatus)
}

func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		change       func(*v1alpha1.LineageLedger)
		reason, says string
	}{
		"Block without a chain": {func(l *v1alpha1.LineageLedger) {
			l.Spec.Chain = &v1alpha1.LedgerChain{Type: v1alpha1.ChainDevelopment, Development: &v1alpha1.DevelopmentChain{}}
			l.Spec.OnChainUnavailable = v1alpha1.ChainBlock
		}, reasonChainNotAvailable, "set onChainUnavailable: Buffer"},
		"an image that is not allowed": {func(l *v1alpha1.LineageLedger) {
			l.Spec.Worker = &v1alpha1.Worker{Image: "elsewhere/ledgerd:1"}
		}, v1alpha1.ReasonImageNotAllowed, "elsewhere/ledgerd:1"},
		"a pod that the API server refuses": {func(l *v1alpha1.LineageLedger) {
			l.Spec.Worker = &v1alpha1.Worker{Image: "mirror/ledgerd:1", PodLabels: map[string]string{"a": "not a label value"}}
		}, v1alpha1.ReasonInvalidSpec, "correct the spec"},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := apitest.Namespace(t)
			start(t, namespace)
			create(t, newLedger(namespace, tc.change))
			ledger := await(t, namespace, metav1.ConditionFalse, tc.reason)
			if !strings.Contains(message(ledger), tc.says) {
				t.Errorf("message %q; want it to contain %q", message(ledger), tc.says)
			}
			expectKStatus(t, namespace, status.FailedStatus)
		})
	}
}
