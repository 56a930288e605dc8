package kindtest

import (
	"testing"
	"time"
)

// Eventually waits until check returns "", and fails the test with what it said last.
func Eventually(t *testing.T, check func() string) {
	t.Helper()
	const patience = time.Minute // machines that build something else beside are slow
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(25 * time.Millisecond) {
		if last = check(); last == "" {
			return
		}
	}
	t.Fatalf("not within %s: %s", patience, last)
}

// Consistently holds for a while: check returns "" every time.
func Consistently(t *testing.T, period time.Duration, check func() string) {
	t.Helper()
	for deadline := time.Now().Add(period); time.Now().Before(deadline); time.Sleep(25 * time.Millisecond) {
		if said := check(); said != "" {
			t.Fatalf("after all: %s", said)
		}
	}
}
