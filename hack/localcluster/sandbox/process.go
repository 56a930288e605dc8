// Package sandbox keeps a cluster's processes, mounts and interfaces apart from the machine's: they live in mount,
// process, network, IPC and host-name namespaces whose first process is `localcluster init`.
//
// When that process ends, however it ends, the kernel ends every other process in there and drops the mounts, interfaces
// and packet-filter rules with the namespaces. So there is nothing that a crash can leave behind but files and empty
// control groups.
package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Process identifies a process beyond the reuse of its number: a number alone may name another process later.
type Process struct {
	PID       int    `json:"pid"`
	StartTime uint64 `json:"startTime"` // clock ticks since the machine started
	BootID    string `json:"bootID"`    // start times are comparable only within one boot
}

// Identify describes a running process.
func Identify(pid int) (Process, error) {
	start, err := startTime(pid)
	if err != nil {
		return Process{}, err
	}
	boot, err := bootID()
	if err != nil {
		return Process{}, err
	}
	return Process{PID: pid, StartTime: start, BootID: boot}, nil
}

// Alive reports whether this very process still runs.
func (p Process) Alive() bool {
	if p.PID == 0 {
		return false
	}
	now, err := Identify(p.PID)
	return err == nil && now == p
}

// Stop asks the process to end, and ends it after the grace. It returns when the process is gone.
func (p Process) Stop(grace time.Duration) error {
	if !p.Alive() {
		return nil
	}
	// A descriptor of the process cannot come to name another one between the check and the signal.
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", p.PID, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if !p.Alive() {
		return nil
	}
	for _, step := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, grace}, {unix.SIGKILL, 20 * time.Second}} {
		if err := unix.PidfdSendSignal(fd, step.signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("send %v to process %d: %w", step.signal, p.PID, err)
		}
		if ended(fd, step.wait) {
			return nil
		}
	}
	return fmt.Errorf("process %d is still there 20 s after SIGKILL; look at /proc/%d/stack for what it waits on", p.PID, p.PID)
}

// ended waits until the process behind the descriptor has ended.
func ended(fd int, timeout time.Duration) bool {
	deadline := time.Now().Add(timeout)
	for {
		left := time.Until(deadline)
		if left < 0 {
			left = 0
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds())) //nolint:gosec // a descriptor is small
		if n > 0 {
			return true
		}
		if !errors.Is(err, unix.EINTR) && left == 0 {
			return false
		}
	}
}

func startTime(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read the start time of process %d: %w", pid, err)
	}
	// The command's name, in parentheses, may hold spaces: count fields after it. Field 3 is the first one there.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields after the name, expected 20 or more", pid, len(fields))
	}
	if fields[0] == "Z" {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot's identity: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
