package main

import (
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/amdgpu-framework/datastack/hack/localcluster/boot"
	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	"github.com/amdgpu-framework/datastack/hack/localcluster/packages"
	"github.com/spf13/cobra"
)

type clusterFunc func() (layout.Cluster, error)

func upCommand(cluster clusterFunc) *cobra.Command {
	var options boot.Options
	var timeout time.Duration
	c := &cobra.Command{
		Use: "up", Short: "Start the cluster, and wait until its node and its names are ready", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := cluster()
			if err != nil {
				return err
			}
			if err := packages.CheckMachine(); err != nil {
				return err
			}
			if options.Binaries, err = binaries(); err != nil {
				return err
			}
			ctx, cancel := boot.WithDeadline(cmd.Context(), timeout)
			defer cancel()
			return boot.Up(ctx, c, options, cmd.OutOrStdout())
		},
	}
	c.Flags().IntVar(&options.SimulatedGPUs, "simulated-gpus", 0, "simulated amd.com/gpu devices that the node advertises")
	c.Flags().IntVar(&options.Port, "port", 0, "API server's port on 127.0.0.1 (default: the last one, or any free one)")
	c.Flags().DurationVar(&timeout, "timeout", 3*time.Minute, "give up after this time")
	return c
}

func downCommand(cluster clusterFunc) *cobra.Command {
	var keep bool
	c := &cobra.Command{
		Use: "down", Short: "Stop the cluster and remove its data; the logs stay", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := cluster()
			if err != nil {
				return err
			}
			if err := packages.CheckMachine(); err != nil {
				return err
			}
			return boot.Down(c, keep, cmd.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&keep, "keep-data", false, "keep objects, images and volumes for the next start")
	return c
}

func statusCommand(cluster clusterFunc) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say what runs; exit code 1 when the cluster does not", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := cluster()
			if err != nil {
				return err
			}
			status, err := boot.Inspect(cmd.Context(), c)
			if err != nil {
				return err
			}
			if !status.Running {
				return fmt.Errorf("no cluster runs in %s; `localcluster up` (or `make cluster-up`) starts one", c.Dir)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintf(w, "API server\t%s\t%s\n", status.Server, status.APIServer)
			fmt.Fprintf(w, "node\t%s\t%s\n", layout.NodeName, status.Node)
			fmt.Fprintf(w, "first process\t%d\t\n", status.PID)
			fmt.Fprintf(w, "kubeconfig\t%s\t\nlogs\t%s\t\n", c.Kubeconfig(), c.Logs())
			return w.Flush()
		},
	}
}

func envCommand(cluster clusterFunc) *cobra.Command {
	return &cobra.Command{
		Use: "env", Short: "Print shell settings for kubectl: eval \"$(localcluster env)\"", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := cluster()
			if err != nil {
				return err
			}
			dir, err := binaries()
			if err != nil {
				return err
			}
			if _, err := os.Stat(c.Kubeconfig()); err != nil {
				return fmt.Errorf("no cluster was started in %s (%w); `localcluster up` starts one", c.Dir, err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "export KUBECONFIG=%q\nexport PATH=%q:\"$PATH\"\n", c.Kubeconfig(), filepath.Join(dir, "assets"))
			return err
		},
	}
}
