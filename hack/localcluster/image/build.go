// Package image writes container images from files that were built or installed here, with no registry and no Docker,
// and imports them into a cluster.
package image

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Build writes the image as an archive that `ctr images import` and `docker load` read. An archive that already holds
// the same content is left alone, and changed is false.
func Build(spec Spec, root, archive string) (changed bool, err error) {
	files, environment, err := spec.collect(root)
	if err != nil {
		return false, fmt.Errorf("image %s: %w", spec.Name, err)
	}
	stamp, err := fingerprint(spec, files)
	if err != nil {
		return false, fmt.Errorf("image %s: %w", spec.Name, err)
	}
	if old, err := os.ReadFile(archive + ".stamp"); err == nil && string(old) == stamp {
		if _, err := os.Stat(archive); err == nil {
			return false, nil
		}
	}
	tag, err := name.NewTag(spec.Name)
	if err != nil {
		return false, fmt.Errorf("image name %q: %w; expected one such as datastack/manager:dev", spec.Name, err)
	}
	built, cleanup, err := assemble(spec, files, environment)
	if err != nil {
		return false, fmt.Errorf("image %s: %w", spec.Name, err)
	}
	defer cleanup()
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		return false, fmt.Errorf("image %s: %w", spec.Name, err)
	}
	// A crash between these steps leaves no stamp, so the next build starts over.
	if err := os.RemoveAll(archive + ".stamp"); err != nil {
		return false, fmt.Errorf("image %s: %w", spec.Name, err)
	}
	if err := tarball.WriteToFile(archive, tag, built); err != nil {
		return false, fmt.Errorf("image %s: write %s: %w", spec.Name, archive, err)
	}
	return true, os.WriteFile(archive+".stamp", []byte(stamp), 0o644)
}

// assemble makes one layer of the files. The layer goes through a file, since an engine's libraries do not fit memory.
func assemble(spec Spec, files map[string]entry, environment []string) (v1.Image, func(), error) {
	temporary, err := os.CreateTemp("", "localcluster-layer-*.tar")
	if err != nil {
		return nil, nil, err
	}
	cleanup := func() { _ = os.Remove(temporary.Name()) }
	err = writeLayer(temporary, files)
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		cleanup()
		return nil, nil, err
	}
	// Level 1: archives stay on this machine, where time counts more than bytes.
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return os.Open(temporary.Name()) }, tarball.WithCompressionLevel(1))
	if err != nil {
		cleanup()
		return nil, nil, err
	}
	built, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		cleanup()
		return nil, nil, err
	}
	config, err := built.ConfigFile()
	if err != nil {
		cleanup()
		return nil, nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.Entrypoint, config.Config.User, config.Config.WorkingDir = spec.Entrypoint, spec.User, spec.WorkingDir
	config.Config.Env = append(append([]string{"PATH=/usr/local/bin:/usr/bin:/bin"}, environment...), spec.Env...)
	built, err = mutate.ConfigFile(built, config)
	if err != nil {
		cleanup()
		return nil, nil, err
	}
	return built, cleanup, nil
}
