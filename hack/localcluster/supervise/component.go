package supervise

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 5 * time.Second
	// A component that ran this long was well: its next restart is quick again.
	wellAfter = 20 * time.Second
	stopGrace = 3 * time.Second
	// A log over this size is set aside when its component starts.
	maxLogBytes = 32 << 20
)

// Component is a process that should always run.
type Component struct {
	Name    string
	Path    string                      // of the executable
	Args    []string                    // the first is the name that it is called by
	Log     string                      // file that takes its output
	WaitFor func(context.Context) error // returns when what it needs answers, or the context ends
}

// Run keeps the components running until the context ends, then stops them, the last one first.
func Run(ctx context.Context, logger *log.Logger, components []Component) {
	var running []func()
	for _, c := range components {
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		var done sync.WaitGroup
		done.Go(func() { c.keep(ctx, logger) })
		running = append(running, func() { cancel(); done.Wait() })
	}
	<-ctx.Done()
	for i := len(running) - 1; i >= 0; i-- {
		running[i]()
	}
}

// keep starts the component again whenever it ends.
func (c Component) keep(ctx context.Context, logger *log.Logger) {
	backoff := firstBackoff
	for ctx.Err() == nil {
		if c.WaitFor != nil {
			if err := c.WaitFor(ctx); err != nil {
				return // only a cancelled context ends the wait
			}
		}
		started := time.Now()
		err := c.once(ctx, logger)
		if ctx.Err() != nil {
			return
		}
		if time.Since(started) > wellAfter {
			backoff = firstBackoff
		}
		logger.Printf("%s ended after %.1f s (%v); its log is %s; starting it again in %v", c.Name, time.Since(started).Seconds(), err, c.Log, backoff)
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// once runs the component until it ends or the context does.
func (c Component) once(ctx context.Context, logger *log.Logger) error {
	// The kernel sends the parent-death signal when the thread that forked ends, so that thread must stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := openLog(c.Log)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(c.Path)
	cmd.Args, cmd.Dir = c.Args, "/"
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = parentDeathSignal()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", c.Path, err)
	}
	logger.Printf("%s started as process %d", c.Name, cmd.Process.Pid)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		logger.Printf("stop %s: %v", c.Name, err)
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(stopGrace):
		return errors.Join(cmd.Process.Kill(), <-ended)
	}
}

func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogBytes {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, fmt.Errorf("set a full log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open a component's log: %w", err)
	}
	return f, nil
}
