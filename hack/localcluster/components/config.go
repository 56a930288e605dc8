package components

import (
	"fmt"

	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
)

// Host is what the configuration must know of the machine.
type Host struct {
	Runc       string // path of the runc binary
	CNIPlugins string // folder of the CNI plugins
	// Snapshotter is overlayfs, or native where the cluster's folder is itself on an overlay.
	Snapshotter string
}

func containerdConfig(h Host) string {
	// restrict_oom_score_adj: without CAP_SYS_RESOURCE, which many containers lack, every pod would fail otherwise.
	return fmt.Sprintf(`version = 2
root = %q
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri.registry", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  enable_unprivileged_ports = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = %q
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = %q
`, inside.Containerd(), layout.ContainerdSocket, "docker.io/"+layout.PauseImage, h.CNIPlugins, configFile("cni"), h.Snapshotter, h.Runc)
}

func kubeletConfig(cgroup string) string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: %s
port: %d
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %s}
authorization: {mode: Webhook}
tlsCertFile: %s
tlsPrivateKeyFile: %s
containerRuntimeEndpoint: unix://%s
cgroupDriver: cgroupfs
cgroupRoot: /%s
failSwapOn: false
failCgroupV1: false
oomScoreAdj: 0
clusterDomain: %s
clusterDNS: [%s]
resolvConf: %s
maxPods: 200
# Images come from archives: one that the collector removed could not be pulled again.
imageGCHighThresholdPercent: 100
evictionHard: {"memory.available": "100Mi", "nodefs.available": "1%%", "imagefs.available": "1%%"}
`, layout.NodeAddress, layout.KubeletPort, pkiFile("ca.crt"), pkiFile("kubelet-serving.crt"), pkiFile("kubelet-serving.key"),
		layout.ContainerdSocket, cgroup, layout.ClusterDomain, layout.DNSAddress, configFile("resolv.conf"))
}

func proxyConfig() string {
	// The limits of connection tracking are the machine's, not this namespace's: leave them.
	return fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
bindAddress: %s
clientConnection: {kubeconfig: %s}
clusterCIDR: %s
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
iptables: {minSyncPeriod: 0s}
`, layout.NodeAddress, configFile("proxy.kubeconfig"), layout.PodSubnet)
}

// podNetworkConfig joins each pod to the node by a routed pair of interfaces: a bridge would hand replies between pods
// past the packet filter that must translate them back, unless the kernel has br_netfilter.
func podNetworkConfig() string {
	return fmt.Sprintf(`{"cniVersion":"1.0.0","name":"pods","plugins":[
  {"type":"ptp","ipMasq":false,"mtu":1500,"ipam":{"type":"host-local","ranges":[[{"subnet":%q}]],"routes":[{"dst":"0.0.0.0/0"}]}},
  {"type":"portmap","capabilities":{"portMappings":true}}]}
`, layout.PodSubnet)
}
