package api_test

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// refusal is a sample with changes that make it wrong, and a part of the message that must say so.
type refusal struct {
	name    string
	changes edits
	want    string
}

type m = map[string]any
type l = []any

func repeat(n int, item func(i int) any) l {
	items := make(l, n)
	for i := range items {
		items[i] = item(i)
	}
	return items
}

// checkRefused applies each changed sample and wants it refused as invalid, with the message.
func checkRefused(t *testing.T, kind, name string, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		t.Run(kind+"/"+c.name, func(t *testing.T) {
			object := sample(t, kind, name)
			edit(t, object, c.changes)
			err := apply(t.Context(), object, client.DryRunAll)
			noteRefusal(err)
			switch {
			case err == nil:
				t.Fatalf("accepted; want it refused with %q", c.want)
			case !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) && !strings.Contains(err.Error(), "typed patch"):
				t.Fatalf("not refused as invalid: %v", err)
			case !strings.Contains(err.Error(), c.want):
				t.Fatalf("refused with\n\t%v\nwant a message with\n\t%s", err, c.want)
			}
		})
	}
}
