package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// Termination writes the result where the kubelet takes a container's last message from. A path that is empty, or the
// default path outside a pod, is no error.
func Termination(path string, result *runspec.RunResult) error {
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if errors.Is(err, fs.ErrNotExist) && path == DefaultTerminationLog {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the termination message: %w", err)
	}
	_, err = file.Write(result.Encode())
	return errors.Join(err, file.Close())
}

// DefaultTerminationLog is the kubelet's default path.
const DefaultTerminationLog = "/dev/termination-log"
