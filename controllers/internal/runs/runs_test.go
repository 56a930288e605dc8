package runs

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

func order() Order {
	return Order{
		Owner:    metav1.OwnerReference{APIVersion: "datastack.amdgpu.dev/v1alpha1", Kind: "ETLPipeline", Name: "load", UID: "u-1"},
		Resource: "etlpipelines", Phase: runspec.PhaseAll, Shards: 1,
		Spec: &runspec.RunSpec{Version: 1, Action: runspec.ActionPipeline, RunID: "id", Run: "load-1", Attempt: 1,
			Object:   runspec.ObjectRef{Kind: "ETLPipeline", Namespace: "a", Name: "load", UID: "u-1"},
			Pipeline: &runspec.Pipeline{Parallelism: 1}},
	}
}

func TestNamesFitTheirLimits(t *testing.T) {
	longest := strings.Repeat("n", 40)
	for _, name := range []string{
		ChildName("ETLPipeline", longest, "worker"),
		JobName(RunName(longest, "id"), 101, runspec.PhaseCommit),
		AttemptName(RunName(longest, "id"), 999),
	} {
		// A Job's name becomes a label of its pods.
		if errs := validation.IsDNS1123Label(name); len(errs) > 0 {
			t.Errorf("%s (%d characters): %v", name, len(name), errs)
		}
	}
	if ChildName("ETLPipeline", "a", "worker") == ChildName("IcebergTable", "a", "worker") {
		t.Error("children of objects of two kinds and one name collide")
	}
	if Hash("ab", "c") == Hash("a", "bc") {
		t.Error("the hash does not keep its parts apart")
	}
	if got := JobName("r", 2, ""); got != "r-a2" {
		t.Errorf("a run without phases has the Job %s", got)
	}
}

func TestReferences(t *testing.T) {
	const text = `{
		"source": {"type": "postgres", "postgres": {"dsnSecretRef": {"name": "pg", "key": "dsn"}, "table": "t"}},
		"transformations": [{"name": "e", "type": "enrich", "enrich": {"using": ["k"], "source": {"type": "files", "files": {
			"storage": {"type": "s3", "s3": {"bucket": "b", "credentialsSecretRef": {"name": "s3"}}}, "glob": "*", "format": "CSV"}}}}],
		"destination": {"type": "files", "files": {"path": "out", "storage": {"type": "hostPath", "hostPath": {"path": "/srv/data"}}}},
		"parallelism": 1}`
	const table = `{"spec": {"identifier": {"namespace": ["n"], "name": "t"}, "schema": {"fields": []},
		"storage": {"type": "volume", "volume": {"claimName": "lake"}},
		"catalog": {"type": "sql", "sql": {"dialect": "sqlite", "claimName": "catalog", "path": "c.db", "warehouse": "file:///x"}}}}`
	spec := order().Spec
	if err := json.Unmarshal([]byte(text), spec.Pipeline); err != nil {
		t.Fatal(err)
	}
	var tab runspec.Table
	if err := json.Unmarshal([]byte(table), &tab); err != nil {
		t.Fatal(err)
	}
	spec.Tables = map[string]runspec.Table{"t": tab}
	spec.Ledger = &runspec.Ledger{TokenSecret: "audit-token"}
	got := referencesOf(spec)
	for what, pair := range map[string][2]string{
		"secrets":   {strings.Join(got.secrets, " "), "audit-token pg s3"},
		"claims":    {strings.Join(got.claims, " "), "catalog lake"},
		"hostPaths": {strings.Join(got.hostPaths, " "), "/srv/data"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}
}

func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		config      Config
		image, path string
		want        string
	}{
		"the manager's image":           {},
		"another, with no list":         {image: "x:1", want: "x:1"},
		"another, listed":               {config: Config{ImageAllowlist: []string{"x:1"}}, image: "x:1"},
		"another, by prefix":            {config: Config{ImageAllowlist: []string{"r.example/*"}}, image: "r.example/a:1"},
		"a prefix that is no entry":     {config: Config{ImageAllowlist: []string{"r.example/"}}, image: "r.example/a:1", want: "allow list"},
		"hostPath, off":                 {path: "/srv", want: "--allow-host-path"},
		"hostPath under the prefix":     {config: Config{HostPathPrefix: "/srv/data"}, path: "/srv/data/in"},
		"hostPath that is the prefix":   {config: Config{HostPathPrefix: "/srv/data"}, path: "/srv/data/"},
		"hostPath of a similar name":    {config: Config{HostPathPrefix: "/srv/data"}, path: "/srv/database", want: "/srv/database"},
		"hostPath that climbs out":      {config: Config{HostPathPrefix: "/srv/data"}, path: "/srv/data/../../etc", want: "refused"},
		"hostPath that is not absolute": {config: Config{HostPathPrefix: "/"}, path: "etc", want: "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			o := order()
			tc.config.WorkerImage = "datastack/gpuworker:test"
			if tc.image != "" {
				o.Worker = &v1alpha1.Worker{Image: tc.image}
			}
			if tc.path != "" {
				o.Spec.Pipeline.Source = v1alpha1.PipelineSource{Files: &v1alpha1.FilesSource{Storage: v1alpha1.Storage{HostPath: &v1alpha1.HostPathStorage{Path: tc.path}}}}
			}
			err := tc.config.Check(o)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestOrderTooLargeForAConfigMap(t *testing.T) {
	o := order()
	o.Spec.Pipeline.Transformations = []v1alpha1.Transformation{{Polars: &v1alpha1.PolarsStep{Script: strings.Repeat("x", runspec.MaxBytes)}}}
	if _, err := o.configMap(); err == nil || !strings.Contains(err.Error(), "shorten scripts") {
		t.Fatalf("got %v", err)
	}
}

func TestSecretsReachTheWorkerOnly(t *testing.T) {
	o := order()
	o.NeedsEngine = true
	o.Spec.Ledger = &runspec.Ledger{TokenSecret: "audit-token"}
	o.Worker = &v1alpha1.Worker{Env: []v1alpha1.EnvVar{{Name: "PROXY", Value: "p"}}, PodLabels: map[string]string{"team": "a"}}
	pod := Config{WorkerImage: "w", EngineImage: "e"}.pod(o)
	for _, c := range pod.Spec.InitContainers {
		for _, m := range c.VolumeMounts {
			if m.Name != "engine" {
				t.Errorf("the engine mounts %s", m.Name)
			}
		}
		// Half of the default limit of 4Gi.
		if args := strings.Join(c.Args, " "); args != "--socket /datastack/engine/engine.sock --scratch /datastack/engine/scratch --memory-bytes 2147483648" {
			t.Errorf("the engine's arguments are %q", args)
		}
		if len(c.Env) != 1 || c.Env[0].Name != "TMPDIR" {
			t.Errorf("the engine's environment is %v", c.Env)
		}
	}
	if pod.Labels["team"] != "a" || pod.Labels[v1alpha1.LabelRun] != "load-1" {
		t.Errorf("labels %v", pod.Labels)
	}
	for _, c := range append(pod.Spec.Containers, pod.Spec.InitContainers...) {
		s := c.SecurityContext
		if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || s.Capabilities.Drop[0] != "ALL" {
			t.Errorf("%s: %+v", c.Name, s)
		}
	}
	for _, v := range pod.Spec.Volumes {
		if v.EmptyDir != nil && v.EmptyDir.SizeLimit == nil {
			t.Errorf("the scratch folder %s is not bounded", v.Name)
		}
		if v.Secret != nil && *v.Secret.DefaultMode&0o007 != 0 {
			t.Errorf("everybody may read Secret %s", v.Secret.SecretName)
		}
	}
	if pod.Spec.Containers[0].TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError {
		t.Error("a crash would leave no message")
	}
}
