package main

import (
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"strconv"

	"github.com/amdgpu-framework/datastack/hack/localcluster/components"
	"github.com/amdgpu-framework/datastack/hack/localcluster/gpuplugin"
	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	"github.com/amdgpu-framework/datastack/hack/localcluster/packages"
	"github.com/amdgpu-framework/datastack/hack/localcluster/sandbox"
	"github.com/amdgpu-framework/datastack/hack/localcluster/supervise"
	"github.com/amdgpu-framework/datastack/hack/localcluster/volumes"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// insideCommands are what `up` starts in the cluster's namespaces; nobody types them.
func insideCommands() []*cobra.Command {
	commands := []*cobra.Command{initCommand(), superviseCommand(), volumesCommand(), gpuPluginCommand()}
	for _, c := range commands {
		c.Hidden, c.Args = true, cobra.NoArgs
	}
	return commands
}

func initCommand() *cobra.Command {
	var gpus int
	var dir, binaries string
	c := &cobra.Command{Use: "init", RunE: func(*cobra.Command, []string) error {
		if err := sandbox.Enter(dir, binaries); err != nil {
			return err
		}
		// Only the listener is for the supervisor; the lock must end with this process alone.
		for fd := sandbox.ListenerFD; fd <= sandbox.LockFD; fd++ {
			unix.CloseOnExec(fd)
		}
		supervisor := exec.Command("/proc/self/exe", "supervise", "--simulated-gpus", strconv.Itoa(gpus))
		supervisor.Stdout, supervisor.Stderr = os.Stdout, os.Stderr
		supervisor.ExtraFiles = []*os.File{os.NewFile(sandbox.ListenerFD, "listener")}
		return supervise.ReapUntilExit(supervisor)
	}}
	c.Flags().IntVar(&gpus, "simulated-gpus", 0, "")
	c.Flags().StringVar(&dir, "cluster", "", "")
	c.Flags().StringVar(&binaries, "binaries", "", "")
	return c
}

func superviseCommand() *cobra.Command {
	var gpus int
	c := &cobra.Command{Use: "supervise", RunE: func(cmd *cobra.Command, _ []string) error {
		logger := log.New(os.Stderr, "", log.LstdFlags)
		found, err := packages.Find()
		if err != nil {
			return err
		}
		listener, err := net.FileListener(os.NewFile(sandbox.ListenerFD, "listener"))
		if err != nil {
			return fmt.Errorf("take over the users' listening socket: %w", err)
		}
		unix.CloseOnExec(sandbox.ListenerFD)
		go supervise.Forward(cmd.Context(), logger, listener, net.JoinHostPort("127.0.0.1", strconv.Itoa(layout.APIServerPort)))
		supervise.Run(cmd.Context(), logger, components.All(gpus, found.Containerd))
		return nil
	}}
	c.Flags().IntVar(&gpus, "simulated-gpus", 0, "")
	return c
}

func volumesCommand() *cobra.Command {
	var kubeconfig string
	c := &cobra.Command{Use: "volumes", RunE: func(cmd *cobra.Command, _ []string) error {
		return volumes.Run(cmd.Context(), kubeconfig)
	}}
	c.Flags().StringVar(&kubeconfig, "kubeconfig", "", "")
	return c
}

func gpuPluginCommand() *cobra.Command {
	var devices int
	c := &cobra.Command{Use: "gpu-plugin", RunE: func(cmd *cobra.Command, _ []string) error {
		return gpuplugin.Run(cmd.Context(), devices, layout.Inside().GPUHealth(), gpuplugin.Folder())
	}}
	c.Flags().IntVar(&devices, "devices", 0, "")
	return c
}
