package components

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	"github.com/amdgpu-framework/datastack/hack/localcluster/supervise"
)

func containerd(path string) supervise.Component {
	return supervise.Component{
		Name: "containerd", Path: path, Log: inside.Log("containerd"),
		Args: []string{"containerd", "--config", configFile("containerd.toml")},
	}
}

func kubelet() supervise.Component {
	wait := func(ctx context.Context) error {
		return poll(ctx, func(ctx context.Context) error { return dial(ctx, layout.ContainerdSocket) })
	}
	return kubernetes("kubelet", wait,
		"--config="+configFile("kubelet.yaml"), "--kubeconfig="+configFile("kubelet.kubeconfig"),
		"--root-dir="+layout.KubeletRoot, "--hostname-override="+layout.NodeName, "--node-ip="+layout.NodeAddress)
}

func proxy() supervise.Component {
	return kubernetes("kube-proxy", apiServerAnswers, "--config="+configFile("proxy.yaml"), "--hostname-override="+layout.NodeName)
}

// own is a component that this program itself is.
func own(name string, wait func(context.Context) error, arguments ...string) supervise.Component {
	return supervise.Component{
		Name: name, Path: "/proc/self/exe", Args: append([]string{"localcluster"}, arguments...),
		Log: inside.Log(name), WaitFor: wait,
	}
}

func volumes() supervise.Component {
	return own("volumes", apiServerAnswers, "volumes", "--kubeconfig="+configFile("volumes.kubeconfig"))
}

func gpuPlugin(devices int) supervise.Component {
	return own("gpu-plugin", nil, "gpu-plugin", "--devices="+strconv.Itoa(devices))
}

// All returns the components of a cluster in the order of their start.
func All(simulatedGPUs int, containerdPath string) []supervise.Component {
	all := []supervise.Component{
		etcd(), apiServer(), containerd(containerdPath), controllerManager(), scheduler(), kubelet(), proxy(), volumes(),
	}
	if simulatedGPUs > 0 {
		all = append(all, gpuPlugin(simulatedGPUs))
	}
	return all
}

func dial(ctx context.Context, socket string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	return conn.Close()
}

// WriteConfig writes the components' configuration files; they hold paths and addresses as the components see them.
func WriteConfig(c layout.Cluster, host Host) error {
	files := map[string]string{
		"containerd.toml":   containerdConfig(host),
		"kubelet.yaml":      kubeletConfig(c.Cgroup()),
		"proxy.yaml":        proxyConfig(),
		"resolv.conf":       "", // nothing outside the cluster can be reached, so no name server either
		"cni/pods.conflist": podNetworkConfig(),
	}
	for name, text := range files {
		path := filepath.Join(c.Config(), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("create a configuration folder: %w", err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write the configuration %s: %w", name, err)
		}
	}
	return nil
}
