// Package boot starts, inspects and stops a cluster from the machine's side.
package boot

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/amdgpu-framework/datastack/hack/localcluster/cgroup"
	"github.com/amdgpu-framework/datastack/hack/localcluster/components"
	"github.com/amdgpu-framework/datastack/hack/localcluster/image"
	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	"github.com/amdgpu-framework/datastack/hack/localcluster/packages"
	"github.com/amdgpu-framework/datastack/hack/localcluster/pki"
	"github.com/amdgpu-framework/datastack/hack/localcluster/sandbox"
)

// Options of a start.
type Options struct {
	Binaries      string // folder of the components' binaries
	Port          int    // of the API server on 127.0.0.1; 0: the last one, or any
	SimulatedGPUs int
}

// Step prints one line of progress: what, its state, and how long it took.
func Step(w io.Writer, what, state string, started time.Time) {
	_, _ = fmt.Fprintf(w, "%-32s %-10s %6.1f s\n", what, state, time.Since(started).Seconds())
}

// WithDeadline is the context of a start, whose error says which limit it hit.
func WithDeadline(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("it was not ready within %v; --timeout changes the limit", limit))
}

// Up starts the cluster and waits until pods can run and names resolve. A cluster that runs already is waited for only.
func Up(ctx context.Context, c layout.Cluster, o Options, progress io.Writer) error {
	found, err := packages.Find()
	if err != nil {
		return err
	}
	state, err := sandbox.ReadState(c)
	if err != nil {
		return err
	}
	started := time.Now()
	running, err := settle(c, state)
	if err != nil {
		return err
	}
	if running {
		if o.SimulatedGPUs != state.SimulatedGPUs {
			return fmt.Errorf("a cluster with %d simulated GPUs runs in %s, and %d are asked for; `localcluster down` first", state.SimulatedGPUs, c.Dir, o.SimulatedGPUs)
		}
		Step(progress, "cluster", "runs", started)
	} else if state, err = start(c, o, found, state.Port); err != nil {
		return err
	}
	if err := ready(ctx, c, o, state, found, progress); err != nil {
		if !state.Init.Alive() {
			return fmt.Errorf("the cluster ended while it started: %w\n%s", err, tail(c.Log("localcluster")))
		}
		return fmt.Errorf("%w; the cluster goes on; its logs are in %s", err, c.Logs())
	}
	return nil
}

// settle reports whether the cluster runs. One that was killed may be a moment in ending: it is waited for.
func settle(c layout.Cluster, state sandbox.State) (running bool, err error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return false, fmt.Errorf("create the cluster's folder: %w", err)
	}
	lock, err := sandbox.Lock(c)
	if err != nil {
		if state.Init.Alive() {
			return true, nil
		}
		return false, err
	}
	defer lock.Close()
	return false, state.Init.Stop(0)
}

// start makes what the processes need and starts them.
func start(c layout.Cluster, o Options, found packages.Found, lastPort int) (sandbox.State, error) {
	if err := c.Folders(); err != nil {
		return sandbox.State{}, err
	}
	// What a killed cluster leaves: empty control groups. Everything else went with its namespaces.
	if err := cgroup.Remove(c.Cgroup()); err != nil {
		return sandbox.State{}, err
	}
	if err := cgroup.Create(c.Cgroup()); err != nil {
		return sandbox.State{}, err
	}
	if !pki.Issued(c.PKI()) {
		err := pki.IssueAll(c.PKI(), pki.Names{
			Node: layout.NodeName, NodeAddress: layout.NodeAddress, ServiceAddress: layout.ServiceFirst, ClusterDomain: layout.ClusterDomain,
		})
		if err != nil {
			return sandbox.State{}, err
		}
	}
	inside := fmt.Sprintf("https://127.0.0.1:%d", layout.APIServerPort)
	for _, name := range []string{"kubelet", "controller-manager", "scheduler", "proxy", "volumes"} {
		if err := pki.WriteKubeconfig(filepath.Join(c.Config(), name+".kubeconfig"), c.PKI(), name, inside); err != nil {
			return sandbox.State{}, err
		}
	}
	found.Host.Snapshotter = packages.Snapshotter(c.Dir)
	if err := components.WriteConfig(c, found.Host); err != nil {
		return sandbox.State{}, err
	}
	port := o.Port
	if port == 0 {
		port = lastPort
	}
	state, err := sandbox.Start(c, o.Binaries, port, o.SimulatedGPUs)
	if err != nil {
		return sandbox.State{}, err
	}
	if o.Port != 0 && state.Port != o.Port {
		return sandbox.State{}, fmt.Errorf("port %d of 127.0.0.1 is taken; the cluster was given %d; `localcluster down`, then name another --port", o.Port, state.Port)
	}
	return state, pki.WriteKubeconfig(c.Kubeconfig(), c.PKI(), "admin", fmt.Sprintf("https://127.0.0.1:%d", state.Port))
}

// Importer imports images into the running cluster.
func Importer(c layout.Cluster, ctr string) (image.Importer, error) {
	state, err := sandbox.ReadState(c)
	if err != nil {
		return image.Importer{}, err
	}
	if !state.Init.Alive() {
		return image.Importer{}, fmt.Errorf("no cluster runs in %s; `localcluster up` starts one", c.Dir)
	}
	return image.Importer{
		Ctr: ctr, Record: c.ImportedImages(),
		Socket: fmt.Sprintf("/proc/%d/root%s", state.Init.PID, layout.ContainerdSocket),
	}, nil
}

// tail returns the last lines of a log.
func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
