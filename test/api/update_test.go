package api_test

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// update is a change of an object that exists, and a part of the message that refuses it; empty when it is allowed.
type update struct {
	name    string
	changes edits
	want    string
}

// checkUpdates creates a sample and tries each change on it, alone.
func checkUpdates(t *testing.T, kind, name string, cases []update) {
	t.Helper()
	created := sample(t, kind, name)
	created.SetName(name + "-upd")
	if err := apply(t.Context(), created); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(kind+"/"+c.name, func(t *testing.T) {
			object := sample(t, kind, name)
			object.SetName(name + "-upd")
			edit(t, object, c.changes)
			err := apply(t.Context(), object, client.DryRunAll)
			noteRefusal(err)
			switch {
			case c.want == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case c.want == "":
			case err == nil:
				t.Fatalf("accepted; want it refused with %q", c.want)
			case !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), c.want):
				t.Fatalf("refused with\n\t%v\nwant a message with\n\t%s", err, c.want)
			}
		})
	}
}

func TestImmutablePipelines(t *testing.T) {
	checkUpdates(t, "ETLPipeline", "carrier-report", []update{
		{"pipelineID added", edits{"spec.pipelineID": "new"}, "pipelineID is immutable"},
		{"suspend", edits{"spec.suspend": true}, ""},
		{"script", edits{"spec.transformations.0.polars.script": "input"}, ""},
	})
}
