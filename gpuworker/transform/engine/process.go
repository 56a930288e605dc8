package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// startTimeout is how long the engine may take to listen: its first start compiles and imports its libraries.
const startTimeout = 90 * time.Second

// Connect returns a client of the engine that listens on the socket, once it does.
func Connect(ctx context.Context, socket string) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := waitFor(ctx, socket, nil); err != nil {
		return nil, fail.NoEngine("EngineUnavailable", "the engine does not listen on %s: %w; see the log of the container engine", socket, err)
	}
	return &Client{socket: socket}, nil
}

// Process is an engine that this process started.
type Process struct {
	*Client
	cmd    *exec.Cmd
	dir    string
	exited chan struct{}
	once   sync.Once
}

// Start runs the engine as a child process with the given Python. Its folder below scratch goes away with Stop.
func Start(ctx context.Context, python, scratch string, memoryBytes int64) (*Process, error) {
	if _, err := exec.LookPath(python); err != nil {
		return nil, fail.NoEngine("EngineUnavailable",
			"no Python with the engines at %s; run `make engine-venv`, or name one by --engine-python", python)
	}
	// A socket's path may have 108 bytes at most, and scratch folders are often longer.
	dir, err := os.MkdirTemp("", "ds-engine-")
	if err != nil {
		return nil, err
	}
	p := &Process{dir: dir, exited: make(chan struct{}), Client: &Client{socket: filepath.Join(dir, "engine.sock")}}
	if err := p.start(ctx, python, scratch, memoryBytes); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return p, nil
}

func (p *Process) start(ctx context.Context, python, scratch string, memoryBytes int64) error {
	if err := extract(p.dir); err != nil {
		return err
	}
	var log bytes.Buffer
	p.cmd = exec.Command(python, filepath.Join(p.dir, "engine.py"), "--socket", p.socket, "--scratch", scratch, "--memory-bytes", fmt.Sprint(memoryBytes)) //nolint:noctx // it ends by Stop, after the last step
	p.cmd.Stderr = &boundedBuffer{to: &log, left: 64 << 10}
	p.cmd.Env = environment()
	// The engine must not outlive a worker that is killed, nor see its terminal's Ctrl-C before the worker has acted on it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return fail.NoEngine("EngineUnavailable", "start %s: %w", python, err)
	}
	go func() { _ = p.cmd.Wait(); close(p.exited) }()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := waitFor(ctx, p.socket, p.exited); err != nil {
		p.kill()
		return fail.NoEngine("EngineUnavailable", "the engine of %s did not start: %w\n%s", python, err, log.String())
	}
	return nil
}

// environment keeps what Python needs of ours: the engine must see no secret.
func environment() []string {
	var kept []string
	for _, name := range []string{"PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			kept = append(kept, name+"="+value)
		}
	}
	return kept
}

func waitFor(ctx context.Context, socket string, exited <-chan struct{}) error {
	for {
		if _, err := os.Stat(socket); err == nil {
			return nil
		}
		select {
		case <-exited:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("no socket after %s", startTimeout)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *Process) kill() {
	// The whole group: the engine's own children run the steps.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
}

// Stop ends the engine and removes its folder.
func (p *Process) Stop() {
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(3 * time.Second):
			p.kill()
		}
		_ = os.RemoveAll(p.dir)
	})
}

type boundedBuffer struct {
	to   *bytes.Buffer
	left int
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	take := min(len(p), b.left)
	b.left -= take
	b.to.Write(p[:take])
	return len(p), nil
}
