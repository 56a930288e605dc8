package sandbox

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
)

func start(t *testing.T, script string) (Process, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	p, err := Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return p, cmd
}

func TestStopEndsAProcessThatIgnoresTheRequest(t *testing.T) {
	p, _ := start(t, "trap '' TERM; while :; do sleep 0.05; done")
	if !p.Alive() {
		t.Fatal("a running process counts as ended")
	}
	time.Sleep(100 * time.Millisecond) // the shell sets its trap
	if err := p.Stop(200 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if p.Alive() {
		t.Error("the process is alive after Stop")
	}
}

func TestStopSparesAnotherProcessWithTheSameNumber(t *testing.T) {
	for name, change := range map[string]func(*Process){
		"other start time": func(p *Process) { p.StartTime-- },
		"other boot":       func(p *Process) { p.BootID = "another" },
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := start(t, "sleep 60")
			other := p
			change(&other)
			if err := other.Stop(0); err != nil {
				t.Fatal(err)
			}
			if !p.Alive() {
				t.Error("Stop ended a process that only shares the number")
			}
		})
	}
}

func TestStateSurvivesAndRejects(t *testing.T) {
	c := layout.Cluster{Dir: t.TempDir()}
	if got, err := ReadState(c); err != nil || got != (State{}) {
		t.Errorf("state of a cluster that never ran: %+v, %v", got, err)
	}
	want := State{Init: Process{PID: 1, StartTime: 2, BootID: "b"}, Port: 3, SimulatedGPUs: 4}
	if err := want.Write(c); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadState(c); err != nil || got != want {
		t.Errorf("read back %+v, %v; expected %+v", got, err, want)
	}
	if err := os.WriteFile(c.State(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadState(c); err == nil || !strings.Contains(err.Error(), c.State()) {
		t.Errorf("a torn state file gave %v, expected an error that names it", err)
	}
}

func TestLockIsHeldOnce(t *testing.T) {
	c := layout.Cluster{Dir: t.TempDir()}
	lock, err := Lock(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(c); err == nil || !strings.Contains(err.Error(), "localcluster status") {
		t.Errorf("a second lock gave %v, expected a refusal that says what to do", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(c)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}
