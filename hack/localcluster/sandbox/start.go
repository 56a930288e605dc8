package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	"golang.org/x/sys/unix"
)

// Descriptors that `localcluster init` and the supervisor below it inherit.
const (
	ListenerFD = 3 // users' connections to the API server, accepted on the machine's loopback address
	LockFD     = 4 // held as long as init runs
)

// Start creates the namespaces and their first process, which goes on when the caller ends.
// The port is used if it is free, else any.
func Start(c layout.Cluster, binaries string, port, simulatedGPUs int) (State, error) {
	lock, err := Lock(c)
	if err != nil {
		return State{}, err
	}
	defer lock.Close()
	listener, err := listen(port)
	if err != nil {
		return State{}, err
	}
	defer listener.Close()
	listenerFile, err := listener.(*net.TCPListener).File()
	if err != nil {
		return State{}, fmt.Errorf("hand over the listening socket: %w", err)
	}
	defer listenerFile.Close()
	log, err := os.OpenFile(c.Log("localcluster"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return State{}, fmt.Errorf("open the supervisor's log: %w", err)
	}
	defer log.Close()
	self, err := os.Executable()
	if err != nil {
		return State{}, fmt.Errorf("find this program: %w", err)
	}

	cmd := exec.Command(self, "init", "--cluster", c.Dir, "--binaries", binaries, "--simulated-gpus", strconv.Itoa(simulatedGPUs))
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{listenerFile, lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
	}
	if err := cmd.Start(); err != nil {
		return State{}, fmt.Errorf("start the cluster in namespaces of its own: %w; this needs root with CAP_SYS_ADMIN, which some containers withhold (`make demo CLUSTER=current` uses another cluster)", err)
	}
	process, err := Identify(cmd.Process.Pid)
	if err != nil {
		return State{}, errors.Join(fmt.Errorf("the cluster's first process ended at once; see %s", c.Log("localcluster")), err, cmd.Process.Kill())
	}
	// The caller may live on (tests): collect init when it ends, so that it does not stay a zombie.
	go func() { _ = cmd.Wait() }()
	state := State{Init: process, Port: listener.Addr().(*net.TCPAddr).Port, SimulatedGPUs: simulatedGPUs}
	if err := state.Write(c); err != nil {
		return State{}, errors.Join(err, process.Stop(0))
	}
	return state, nil
}

// Lock takes the cluster for one process: the first process of its namespaces holds it while it runs.
func Lock(c layout.Cluster) (*os.File, error) {
	f, err := os.OpenFile(c.Lock(), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the cluster's lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("the cluster in %s runs, or another command starts or stops it (%w); see `localcluster status`", c.Dir, err), f.Close())
	}
	return f, nil
}

func listen(port int) (net.Listener, error) {
	if port != 0 {
		if l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return l, nil
		}
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on the loopback address for users of the API server: %w", err)
	}
	return l, nil
}
