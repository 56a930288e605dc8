// Package packages finds the programs that a cluster needs from the machine's distribution.
package packages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/amdgpu-framework/datastack/hack/localcluster/components"
	"golang.org/x/sys/unix"
)

// Found are the paths of the programs.
type Found struct {
	Containerd, Ctr string
	Host            components.Host
}

const elsewhere = "`make demo CLUSTER=current` uses the cluster that kubectl points at instead"

// CheckMachine says why a cluster cannot run here at all.
func CheckMachine() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("a local cluster needs Linux, this is %s; %s", runtime.GOOS, elsewhere)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("a local cluster needs root (namespaces, mounts), this is user %d; %s", os.Geteuid(), elsewhere)
	}
	return nil
}

// Find returns the programs, or one error that names every missing Debian package.
func Find() (Found, error) {
	var f Found
	var missing []string
	search := append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
	program := func(name, debian string) string {
		for _, dir := range search {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil && filepath.IsAbs(path) {
				return path
			}
		}
		missing = append(missing, debian)
		return ""
	}
	f.Containerd, f.Ctr = program("containerd", "containerd"), program("ctr", "containerd")
	f.Host.Runc = program("runc", "runc")
	program("iptables", "iptables")
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"} {
		if _, err := os.Stat(filepath.Join(dir, "ptp")); err == nil {
			f.Host.CNIPlugins = dir
			break
		}
	}
	if f.Host.CNIPlugins == "" {
		missing = append(missing, "containernetworking-plugins")
	}
	if len(missing) > 0 {
		return f, &MissingError{Packages: unique(missing)}
	}
	return f, nil
}

// MissingError names the packages to install.
type MissingError struct{ Packages []string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("the local cluster needs programs that are not installed; as root: apt-get install %s (or `make cluster-packages`); %s",
		strings.Join(e.Packages, " "), elsewhere)
}

// Install installs the packages with apt-get, and keeps containerd's own service from starting: a cluster runs its own.
func Install(names []string) error {
	const policy = "/usr/sbin/policy-rc.d" // Debian asks this file whether a new service may start; 101 is no
	if _, err := os.Stat(policy); os.IsNotExist(err) {
		if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil { //nolint:gosec // a program, that others run
			return fmt.Errorf("keep new services from starting: %w", err)
		}
		defer os.Remove(policy)
	}
	install := func() error {
		cmd := exec.Command("apt-get", append([]string{"install", "--yes", "--no-install-recommends"}, names...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		return cmd.Run()
	}
	if install() == nil {
		return nil
	}
	// The package lists may be missing or old.
	update := exec.Command("apt-get", "update")
	update.Stdout, update.Stderr = os.Stderr, os.Stderr
	if err := update.Run(); err != nil {
		return fmt.Errorf("apt-get update: %w", err)
	}
	if err := install(); err != nil {
		return fmt.Errorf("apt-get install %s: %w", strings.Join(names, " "), err)
	}
	return nil
}

// Snapshotter is what containerd can use for images in the folder: the kernel stacks no overlay on another one.
func Snapshotter(dir string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err == nil && s.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native"
	}
	return "overlayfs"
}

func unique(names []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}
