package lineageledger

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// crashesBeforeStalled is how often ledgerd may end before it is a person's turn.
const crashesBeforeStalled = 3

// podTrouble says why the pod does not serve, and whether waiting alone can mend it. Empty: nothing is wrong.
func podTrouble(pod *corev1.Pod) (message string, hopeless bool) {
	if pod == nil {
		return "", false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse && condition.Message != "" {
			return "no node takes the pod: " + condition.Message, false
		}
	}
	for _, container := range pod.Status.ContainerStatuses {
		waiting, last := container.State.Waiting, container.LastTerminationState.Terminated
		if container.State.Terminated != nil {
			last = container.State.Terminated
		}
		switch {
		case last != nil && last.ExitCode != 0 && container.RestartCount > 0:
			return fmt.Sprintf("ledgerd ended with exit code %d (%d restarts): %s",
				last.ExitCode, container.RestartCount, lastWords(last.Message, last.Reason)), container.RestartCount >= crashesBeforeStalled
		case waiting != nil && waiting.Message != "":
			return waiting.Reason + ": " + waiting.Message, false
		}
	}
	return "", false
}

// lastWords of a log: ledgerd's own last error, else the last line, else the reason that the kubelet gives.
func lastWords(log, otherwise string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for _, line := range slices.Backward(lines) {
		if why, ok := strings.CutPrefix(line, "ledgerd: "); ok {
			return why
		}
	}
	if line := strings.TrimSpace(lines[len(lines)-1]); line != "" {
		return line
	}
	return otherwise
}
