// Package layout names the files, addresses and ports of a local cluster.
//
// A cluster lives in one folder on the machine. Its processes run in namespaces of their own, in which that folder is
// mounted at Root: the paths that they see are short (unix sockets allow 107 bytes) and the same for every checkout.
package layout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// Paths and addresses inside the cluster's namespaces.
const (
	Root             = "/run/localcluster"
	Binaries         = "/run/localcluster-bin"
	KubeletRoot      = "/var/lib/kubelet" // the kubelet's device-plugin folder below it is fixed in its source
	ContainerdSocket = "/run/containerd/containerd.sock"

	NodeName      = "localcluster"
	NodeInterface = "node0"
	NodeAddress   = "10.97.0.1"
	PodSubnet     = "10.244.0.0/24"
	ServiceSubnet = "10.96.0.0/16"
	ServiceFirst  = "10.96.0.1" // the API server's own service
	DNSAddress    = "10.96.0.10"
	ClusterDomain = "cluster.local"

	APIServerPort = 6443
	EtcdPort      = 2379
	EtcdPeerPort  = 2380
	KubeletPort   = 10250
)

// Names of images that every cluster runs.
const (
	PauseImage   = "localcluster/pause:local"
	CoreDNSImage = "localcluster/coredns:local"
)

// StorageClass is the default storage class: folders under Cluster.Volumes.
const StorageClass = "local"

// Cluster is the folder of one cluster, as the machine sees it or, with Inside, as its own processes see it.
type Cluster struct{ Dir string }

// At returns the cluster in a folder, which need not exist yet.
func At(dir string) (Cluster, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Cluster{}, fmt.Errorf("find the cluster's folder: %w", err)
	}
	// The same folder by another name must be the same cluster, before and after it is created.
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	} else if parent, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(parent, filepath.Base(abs))
	}
	return Cluster{Dir: abs}, nil
}

// Inside is the cluster as its own processes see it.
func Inside() Cluster { return Cluster{Dir: Root} }

// ID tells clusters on one machine apart: 8 hexadecimal digits of the folder's name.
func (c Cluster) ID() string {
	sum := sha256.Sum256([]byte(c.Dir))
	return hex.EncodeToString(sum[:4])
}

// Cgroup is the control group, below the root, that holds the pods.
func (c Cluster) Cgroup() string { return "localcluster-" + c.ID() }

func (c Cluster) State() string          { return filepath.Join(c.Dir, "state.json") }
func (c Cluster) Lock() string           { return filepath.Join(c.Dir, "lock") }
func (c Cluster) Kubeconfig() string     { return filepath.Join(c.Dir, "kubeconfig") }
func (c Cluster) ImportedImages() string { return filepath.Join(c.Dir, "images-imported.json") }
func (c Cluster) Logs() string           { return filepath.Join(c.Dir, "logs") }
func (c Cluster) Log(name string) string { return filepath.Join(c.Logs(), name+".log") }
func (c Cluster) PKI() string            { return filepath.Join(c.Dir, "pki") }
func (c Cluster) Config() string         { return filepath.Join(c.Dir, "etc") }
func (c Cluster) Etcd() string           { return filepath.Join(c.Dir, "etcd") }
func (c Cluster) Kubelet() string        { return filepath.Join(c.Dir, "kubelet") }
func (c Cluster) Containerd() string     { return filepath.Join(c.Dir, "containerd") }
func (c Cluster) CNI() string            { return filepath.Join(c.Dir, "cni") }
func (c Cluster) Volumes() string        { return filepath.Join(c.Dir, "volumes") }

// GPUHealth holds a file for each simulated GPU, with the word Healthy or Unhealthy.
func (c Cluster) GPUHealth() string { return filepath.Join(c.Dir, "simulated-gpus") }

// DataFolders are removed with the cluster; the logs stay.
func (c Cluster) DataFolders() []string {
	return []string{c.PKI(), c.Config(), c.Etcd(), c.Kubelet(), c.Containerd(), c.CNI(), c.Volumes(), c.GPUHealth()}
}

// Folders creates every folder that the cluster's processes expect.
func (c Cluster) Folders() error {
	for _, dir := range append(c.DataFolders(), c.Logs()) {
		mode := os.FileMode(0o700)
		if dir == c.Logs() || dir == c.Volumes() || dir == c.GPUHealth() {
			mode = 0o755
		}
		if err := os.MkdirAll(dir, mode); err != nil {
			return fmt.Errorf("create a folder of the cluster: %w", err)
		}
	}
	return nil
}
