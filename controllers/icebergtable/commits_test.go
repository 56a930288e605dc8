package icebergtable

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

func TestLearnTakesTheNewestCommitOfTheSameTable(t *testing.T) {
	state := func(uuid, snapshot string, second int64) v1alpha1.TableFacts {
		facts := v1alpha1.TableFacts{TableUUID: uuid}
		if snapshot != "" {
			at := metav1.NewTime(time.Unix(second, 0))
			facts.CurrentSnapshot = &v1alpha1.SnapshotInfo{ID: snapshot, At: &at}
		}
		return facts
	}
	for name, tc := range map[string]struct {
		status  v1alpha1.TableFacts
		commits []v1alpha1.TableFacts
		want    string
	}{
		"first commit":           {state("u", "", 0), []v1alpha1.TableFacts{state("u", "1", 10)}, "1"},
		"newest of two":          {state("u", "1", 10), []v1alpha1.TableFacts{state("u", "3", 30), state("u", "2", 20)}, "3"},
		"older than status":      {state("u", "5", 50), []v1alpha1.TableFacts{state("u", "4", 40)}, "5"},
		"another table":          {state("u", "1", 10), []v1alpha1.TableFacts{state("v", "2", 20)}, "1"},
		"table not yet made":     {state("", "", 0), []v1alpha1.TableFacts{state("u", "2", 20)}, ""},
		"a run without a commit": {state("u", "1", 10), []v1alpha1.TableFacts{state("u", "", 0)}, "1"},
		"same second, no swing":  {state("u", "1", 10), []v1alpha1.TableFacts{state("u", "2", 10)}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			status := &v1alpha1.IcebergTableStatus{TableFacts: tc.status}
			learn(status, tc.commits)
			got := ""
			if status.CurrentSnapshot != nil {
				got = status.CurrentSnapshot.ID
			}
			if got != tc.want {
				t.Errorf("current snapshot %q; want %q", got, tc.want)
			}
		})
	}
}
