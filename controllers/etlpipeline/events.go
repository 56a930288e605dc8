package etlpipeline

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// event is kept until the status that it speaks of is written: a pass that ends in a
// conflict announces nothing.
type event struct{ kind, reason, action, note string }

func (x *pass) note(reason, action, format string, args ...any) {
	x.events = append(x.events, event{corev1.EventTypeNormal, reason, action, fmt.Sprintf(format, args...)})
}

func (x *pass) warn(reason, action, format string, args ...any) {
	x.events = append(x.events, event{corev1.EventTypeWarning, reason, action, fmt.Sprintf(format, args...)})
}

// publish sends what was announced and counts the runs that ended.
func (x *pass) publish() {
	const longest = 1024 // what the API server accepts in a note
	for _, e := range x.events {
		note := e.note
		if len(note) > longest {
			note = note[:longest-3] + "..."
		}
		x.Recorder.Eventf(x.pipeline, nil, e.kind, e.reason, e.action, "%s", note)
	}
	for _, run := range x.finished {
		count(x.pipeline, run)
	}
}
