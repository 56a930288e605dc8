// Command localcluster runs a whole Kubernetes on one Linux machine, from binaries built here and a few Debian packages.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "localcluster: %v\n", err)
		os.Exit(1)
	}
}

// command is the root of all subcommands.
func command() *cobra.Command {
	var dir string
	root := &cobra.Command{
		Use: "localcluster", Short: "A whole Kubernetes on one Linux machine",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&dir, "dir", ".localcluster", "folder of the cluster")
	cluster := func() (layout.Cluster, error) { return layout.At(dir) }
	root.AddCommand(upCommand(cluster), downCommand(cluster), statusCommand(cluster), envCommand(cluster),
		imageCommand(cluster), packagesCommand())
	root.AddCommand(insideCommands()...)
	return root
}

// binaries is the folder of this program, where the components' binaries are too.
func binaries() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	dir := filepath.Dir(self)
	for _, name := range []string{"etcd", "kubernetes", "coredns", "pause"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("the binary %s is missing in %s; `make cluster-tools` builds it", name, dir)
		}
	}
	return dir, nil
}
