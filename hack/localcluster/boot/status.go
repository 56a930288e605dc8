package boot

import (
	"context"
	"fmt"
	"time"

	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	"github.com/amdgpu-framework/datastack/hack/localcluster/sandbox"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Status of a cluster as its API server tells it.
type Status struct {
	Running   bool // its first process does
	PID       int
	Server    string // address for users
	APIServer string // ready, or what it answered
	Node      string // ready, or why not
}

// Inspect asks a cluster how it is.
func Inspect(ctx context.Context, c layout.Cluster) (Status, error) {
	state, err := sandbox.ReadState(c)
	if err != nil {
		return Status{}, err
	}
	s := Status{Running: state.Init.Alive(), PID: state.Init.PID, Server: fmt.Sprintf("https://127.0.0.1:%d", state.Port)}
	if !s.Running {
		return s, nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return s, fmt.Errorf("read the cluster's kubeconfig: %w", err)
	}
	config.Timeout = 5 * time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return s, fmt.Errorf("make a client for the cluster: %w", err)
	}
	s.APIServer, s.Node = "ready", "unknown"
	if _, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err != nil {
		s.APIServer = err.Error()
		return s, nil
	}
	node, err := client.CoreV1().Nodes().Get(ctx, layout.NodeName, metav1.GetOptions{})
	if err != nil {
		s.Node = err.Error()
		return s, nil
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			s.Node = "not ready: " + condition.Message
			if condition.Status == corev1.ConditionTrue {
				s.Node = "ready"
			}
		}
	}
	return s, nil
}
