package lineageledger

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestPodTrouble(t *testing.T) {
	terminated := func(restarts int32, exit int32, message string) *corev1.Pod {
		return &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			RestartCount:         restarts,
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: exit, Reason: "Error", Message: message}},
		}}}}
	}
	waiting := func(reason, message string) *corev1.Pod {
		return &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}}}
	}
	for name, tc := range map[string]struct {
		pod      *corev1.Pod
		says     string // empty: nothing
		hopeless bool
	}{
		"no pod":                      {nil, "", false},
		"starting":                    {waiting("ContainerCreating", ""), "", false},
		"no image":                    {waiting("ImagePullBackOff", "no such image"), "ImagePullBackOff: no such image", false},
		"first crash":                 {terminated(1, 1, "volume is full"), "volume is full", false},
		"third crash":                 {terminated(3, 1, "first line\nvolume is full\n"), "volume is full", true},
		"the reason before the usage": {terminated(1, 64, "ledgerd: token file is empty\nusage:\n  ledgerd serve\n"), "token file is empty", false},
		"a crash without a word":      {terminated(1, 137, ""), "exit code 137 (1 restarts): Error", false},
		"a clean end is no crash":     {terminated(1, 0, "done"), "CrashLoopBackOff: back-off", false},
		"unschedulable": {&corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available"}}}}, "no node takes the pod: 0/1 nodes are available", false},
	} {
		t.Run(name, func(t *testing.T) {
			message, hopeless := podTrouble(tc.pod)
			if hopeless != tc.hopeless || (message == "") != (tc.says == "") || !strings.Contains(message, tc.says) {
				t.Errorf("%q, hopeless %v; want %q, %v", message, hopeless, tc.says, tc.hopeless)
			}
		})
	}
}

func TestCheckpointOfATenantsPodIsNotTrusted(t *testing.T) {
	const hash = "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0="
	for name, tc := range map[string]struct {
		status int
		body   string
		want   int64 // -1: refused
	}{
		"a checkpoint":         {200, `{"size":"7","rootHash":"` + hash + `"}`, 7},
		"with more fields":     {200, `{"status":"ok","size":"0","rootHash":"` + hash + `","signed":false}`, 0},
		"no size":              {200, `{"status":"ok"}`, -1},
		"a negative size":      {200, `{"size":"-1","rootHash":"` + hash + `"}`, -1},
		"a number":             {200, `{"size":7,"rootHash":"` + hash + `"}`, -1},
		"over 63 bits":         {200, `{"size":"9223372036854775808","rootHash":"` + hash + `"}`, -1},
		"a short root":         {200, `{"size":"7","rootHash":"bjQLnA=="}`, -1},
		"no base64":            {200, `{"size":"7","rootHash":"?"}`, -1},
		"no JSON":              {200, `<html>`, -1},
		"more than is read":    {200, `{"size":"7","rootHash":"` + hash + `","x":"` + strings.Repeat("x", probeLimit) + `"}`, -1},
		"not ready":            {503, `{"size":"7","rootHash":"` + hash + `"}`, -1},
		"a redirect elsewhere": {302, `{"size":"7","rootHash":"` + hash + `"}`, -1},
	} {
		t.Run(name, func(t *testing.T) {
			elsewhere := false
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/readyz" {
					elsewhere = true
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			defer server.Close()
			found, err := askCheckpoint(t.Context(), server.URL)
			switch {
			case tc.want < 0 && err == nil:
				t.Errorf("accepted: %+v", found)
			case tc.want >= 0 && (err != nil || found.Size != tc.want || len(found.Root) != 64):
				t.Errorf("%+v, error %v; want size %d", found, err, tc.want)
			}
			if elsewhere {
				t.Error("the redirect was followed")
			}
		})
	}
}
