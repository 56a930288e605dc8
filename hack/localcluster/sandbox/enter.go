package sandbox

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	"golang.org/x/sys/unix"
)

// Enter prepares the namespaces from inside, as their first process: mounts, host name, network.
func Enter(clusterDir, binaries string) error {
	if os.Getpid() != 1 {
		return fmt.Errorf("`localcluster init` runs as the first process of its own namespaces; use `localcluster up`")
	}
	if err := unix.Sethostname([]byte(layout.NodeName)); err != nil {
		return fmt.Errorf("set the node's host name: %w", err)
	}
	if err := mounts(clusterDir, binaries); err != nil {
		return err
	}
	return network()
}

// mounts gives the cluster a /proc, /run and /var/lib of its own; the rest of the machine's files stay in sight.
func mounts(clusterDir, binaries string) error {
	// Opened first, in these namespaces: what is mounted below may hide the paths.
	cluster, err := os.Open(clusterDir)
	if err != nil {
		return fmt.Errorf("open the cluster's folder: %w", err)
	}
	defer cluster.Close()
	programs, err := os.Open(binaries)
	if err != nil {
		return fmt.Errorf("open the folder of the components: %w", err)
	}
	defer programs.Close()
	steps := []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		// Slave first: what we mount must not reach the machine. Then shared, for containers' mount propagation.
		{"", "/", "", unix.MS_REC | unix.MS_SLAVE, ""},
		{"", "/", "", unix.MS_REC | unix.MS_SHARED, ""},
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
		{fmt.Sprintf("/proc/self/fd/%d", cluster.Fd()), layout.Root, "", unix.MS_BIND, ""},
		{fmt.Sprintf("/proc/self/fd/%d", programs.Fd()), layout.Binaries, "", unix.MS_BIND, ""},
		{"tmpfs", "/var/lib", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
		{layout.Inside().Kubelet(), layout.KubeletRoot, "", unix.MS_BIND, ""},
		{layout.Inside().CNI(), "/var/lib/cni", "", unix.MS_BIND, ""},
	}
	for _, s := range steps {
		if err := os.MkdirAll(s.target, 0o755); err != nil {
			return fmt.Errorf("create the mount point %s: %w", s.target, err)
		}
		if err := unix.Mount(s.source, s.target, s.kind, s.flags, s.data); err != nil {
			return fmt.Errorf("mount %q at %s: %w", s.source, s.target, err)
		}
	}
	// A machine whose /var/run is no link to /run would share containers' network namespaces with it.
	if target, err := filepath.EvalSymlinks("/var/run"); err == nil && target != "/run" {
		if err := unix.Mount("/run", "/var/run", "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount /run at /var/run: %w", err)
		}
	}
	return nil
}
