// Package report brings a worker's progress and result to where people and the manager look: the object's status, the
// termination message, metrics.
package report

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

const (
	// Interval is the least time between two reports of progress within a phase.
	Interval = 15 * time.Second
	// requestTimeout bounds one write: a slow API server must not hold up data.
	requestTimeout = 10 * time.Second
)

// Status writes one worker's item of status.workers by server-side apply. It is safe for concurrent use.
type Status struct {
	client rest.Interface
	spec   *runspec.RunSpec
	shard  string
	now    func() time.Time

	mu    sync.Mutex
	last  time.Time
	phase v1alpha1.RunPhase
}

// resources are the plural names of the kinds that workers work for.
var resources = map[string]string{"ETLPipeline": "etlpipelines", "IcebergTable": "icebergtables"}

// NewStatus connects with the credentials of the pod. It returns nil, on which every method does nothing, when the
// RunSpec asks for no reports: a run by hand.
func NewStatus(spec *runspec.RunSpec, shard string) (*Status, error) {
	if !spec.Report {
		return nil, nil
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("the RunSpec asks for reports into the object's status, and this is no pod: %w; set report to false", err)
	}
	return newStatus(config, spec, shard)
}

func newStatus(config *rest.Config, spec *runspec.RunSpec, shard string) (*Status, error) {
	if resources[spec.Object.Kind] == "" {
		return nil, fmt.Errorf("a worker cannot report for kind %q", spec.Object.Kind)
	}
	config = rest.CopyConfig(config)
	config.GroupVersion = &v1alpha1.GroupVersion
	config.APIPath = "/apis"
	config.Timeout = requestTimeout
	config.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	return &Status{client: client, spec: spec, shard: shard, now: time.Now}, nil
}

// Progress reports totals, at once when the phase changed and else at most every Interval. A report that fails is
// returned but is no reason to stop: the manager also reads the termination message.
func (s *Status) Progress(ctx context.Context, phase v1alpha1.RunPhase, totals v1alpha1.RunTotals, message string) error {
	if s == nil || !s.due(phase) {
		return nil
	}
	return s.apply(ctx, v1alpha1.WorkerStatus{Phase: phase, RunTotals: totals, Message: runspec.Truncate(message)})
}

// Done reports the result of the worker.
func (s *Status) Done(ctx context.Context, result *runspec.RunResult) error {
	if s == nil {
		return nil
	}
	return s.apply(ctx, *result.WorkerStatus())
}

func (s *Status) due(phase v1alpha1.RunPhase) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if phase == s.phase && now.Sub(s.last) < Interval {
		return false
	}
	s.phase, s.last = phase, now
	return true
}

// apply sends the whole item. The uid makes the API server refuse it when the object was deleted and made again.
func (s *Status) apply(ctx context.Context, item v1alpha1.WorkerStatus) error {
	object := s.spec.Object
	item.Shard, item.Run, item.RunID, item.Attempt = s.shard, s.spec.Run, s.spec.RunID, s.spec.Attempt
	item.Pod = os.Getenv("DATASTACK_POD_NAME")
	at := metav1.NewTime(s.now())
	item.UpdatedAt = &at
	body, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": object.Kind,
		"metadata": map[string]any{"name": object.Name, "namespace": object.Namespace, "uid": object.UID},
		"status":   map[string]any{"workers": []v1alpha1.WorkerStatus{item}},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err = s.client.Patch(types.ApplyPatchType).AbsPath(s.path()+"/status").
		Param("fieldManager", "gpuworker-"+s.shard).Param("force", "true").Body(body).Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("report into status of %s %s/%s: %w", object.Kind, object.Namespace, object.Name, err)
	}
	return nil
}

// Newest is the fence before a commit: it fails when the object is gone or another, or when a newer run or attempt has
// begun.
func (s *Status) Newest(ctx context.Context) error {
	if s == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	object := s.spec.Object
	data, err := s.client.Get().AbsPath(s.path()).Do(ctx).Raw()
	if err != nil {
		return fmt.Errorf("check that attempt %d of run %s is still the newest: %w", s.spec.Attempt, s.spec.Run, err)
	}
	var found struct {
		Metadata struct {
			UID string `json:"uid"`
		} `json:"metadata"`
		Status struct {
			LastRun *v1alpha1.Run `json:"lastRun"`
		} `json:"status"`
	}
	if err := json.Unmarshal(data, &found); err != nil {
		return err
	}
	run := found.Status.LastRun
	switch {
	case found.Metadata.UID != object.UID:
		return fmt.Errorf("%s %s/%s was deleted and created again; this run belongs to the old one", object.Kind, object.Namespace, object.Name)
	case run != nil && run.RunID != s.spec.RunID:
		return fmt.Errorf("run %s has been replaced by run %s", s.spec.Run, run.Name)
	case run != nil && run.Attempt > s.spec.Attempt:
		return fmt.Errorf("attempt %d has been replaced by attempt %d", s.spec.Attempt, run.Attempt)
	}
	return nil
}

func (s *Status) path() string {
	return strings.Join([]string{"/apis", v1alpha1.GroupVersion.String(), "namespaces", url.PathEscape(s.spec.Object.Namespace),
		resources[s.spec.Object.Kind], url.PathEscape(s.spec.Object.Name)}, "/")
}
