// Package supervise runs the components of a cluster and starts again those that end.
package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// ReapUntilExit is the work of the first process in a process namespace: it starts the command, collects every process
// that is left to it, and returns when the command has ended. Once the caller ends too, the kernel ends all others.
func ReapUntilExit(command *exec.Cmd) error {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, unix.SIGCHLD, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	if err := command.Start(); err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	for s := range signals {
		if s != unix.SIGCHLD {
			// An error means that it has just ended, which SIGCHLD tells next.
			_ = unix.Kill(command.Process.Pid, unix.SIGTERM)
			continue
		}
		for {
			var status unix.WaitStatus
			pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil || pid <= 0 {
				break
			}
			if pid == command.Process.Pid {
				if status.Signaled() {
					return fmt.Errorf("the supervisor was ended by signal %v", status.Signal())
				}
				if status.ExitStatus() != 0 {
					return fmt.Errorf("the supervisor ended with exit code %d", status.ExitStatus())
				}
				return nil
			}
		}
	}
	return nil
}

// parentDeathSignal ends a component with its supervisor even before the namespaces go.
func parentDeathSignal() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true}
}
