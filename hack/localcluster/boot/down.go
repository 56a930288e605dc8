package boot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/amdgpu-framework/datastack/hack/localcluster/cgroup"
	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	"github.com/amdgpu-framework/datastack/hack/localcluster/sandbox"
)

// The components get 3 seconds each, and most end at once.
const stopGrace = 15 * time.Second

// Down stops the cluster and removes what it left; the logs stay.
func Down(c layout.Cluster, keepData bool, progress io.Writer) error {
	started := time.Now()
	if _, err := os.Stat(c.Dir); errors.Is(err, os.ErrNotExist) {
		Step(progress, "cluster", "absent", started)
		return nil
	}
	state, err := sandbox.ReadState(c)
	if err != nil {
		return err
	}
	if err := state.Init.Stop(stopGrace); err != nil {
		return err
	}
	// Held until all is removed, so that no start comes in between.
	lock, err := sandbox.Lock(c)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := cgroup.Remove(c.Cgroup()); err != nil {
		return err
	}
	Step(progress, "cluster", "stopped", started)
	if keepData {
		return nil
	}
	started = time.Now()
	for _, path := range append(c.DataFolders(), c.State(), c.Kubeconfig(), c.ImportedImages()) {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove the cluster's data: %w", err)
		}
	}
	Step(progress, "data", "removed", started)
	return nil
}
