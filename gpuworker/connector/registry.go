package connector

import (
	"context"
	"errors"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// OpenSource gives the source that a spec declares. Nothing is read yet. A type that this worker does not have is an
// error of kind NoEngine that lists those it has; a spec that cannot work is one of kind Usage.
func OpenSource(ctx context.Context, env Env, spec v1alpha1.PipelineSource) (Source, error) {
	switch {
	case spec.Type == v1alpha1.SourceFiles && spec.Files != nil:
		return openFilesSource(ctx, env, *spec.Files)
	case spec.Type == v1alpha1.SourceIcebergTable && spec.IcebergTable != nil:
		return openTableSource(env, *spec.IcebergTable)
	case spec.Type == v1alpha1.SourceFiles || spec.Type == v1alpha1.SourceIcebergTable:
		return nil, fail.Usage("BadSpec", "source type is %s and the member %s is not set; set it", spec.Type, spec.Type)
	}
	return nil, fail.NoEngine("SourceUnavailable", "this worker cannot read sources of type %q; it reads: %s, %s", spec.Type, v1alpha1.SourceFiles, v1alpha1.SourceIcebergTable)
}

// OpenSink gives the sink that a spec declares. The caller closes it. Errors are as for OpenSource; a table that is not
// there is one of kind NoInput.
func OpenSink(ctx context.Context, env Env, spec v1alpha1.Destination) (Sink, error) {
	switch {
	case spec.Type == v1alpha1.DestinationIcebergTable && spec.IcebergTable != nil:
		return openTableSink(ctx, env, *spec.IcebergTable)
	case spec.Type == v1alpha1.DestinationFiles && spec.Files != nil:
		return openFilesSink(ctx, env, *spec.Files)
	case spec.Type == v1alpha1.DestinationFiles || spec.Type == v1alpha1.DestinationIcebergTable:
		return nil, fail.Usage("BadSpec", "destination type is %s and the member %s is not set; set it", spec.Type, spec.Type)
	}
	return nil, fail.NoEngine("DestinationUnavailable", "this worker cannot write destinations of type %q; it writes: %s, %s", spec.Type, v1alpha1.DestinationFiles, v1alpha1.DestinationIcebergTable)
}

// OpenStore gives the folder or bucket that a spec declares; credentials come from the mounts. It does not have to exist
// yet if it is a folder.
func OpenStore(ctx context.Context, spec v1alpha1.Storage, mounts lakehouse.Mounts) (Store, error) {
	switch {
	case spec.Type == v1alpha1.StorageS3 && spec.S3 != nil:
		return openS3Store(ctx, *spec.S3, mounts)
	case spec.Type == v1alpha1.StorageVolume && spec.Volume != nil:
		dir, err := mounts.Volume(spec.Volume.ClaimName, spec.Volume.Path)
		if err != nil {
			return nil, lakeError(err)
		}
		return &localStore{dir: dir}, nil
	case spec.Type == v1alpha1.StorageHostPath && spec.HostPath != nil:
		return &localStore{dir: spec.HostPath.Path}, nil
	}
	return nil, fail.Usage("UnsupportedStorage", "storage of type %q is not supported yet (or its member is not set); use s3, volume or hostPath", spec.Type)
}

// rememberer is a sink that remembers which source files its commits brought in.
type rememberer interface {
	processed(ctx context.Context) ([]lakehouse.ProcessedFile, error)
}

// Link tells an incremental source (`incremental: ByFile`) which sink remembers the files that were loaded. Call it before
// Plan. A sink without such a memory is an error of kind Usage. Other sources need no sink.
func Link(source Source, sink Sink) error {
	files, ok := source.(*filesSource)
	if !ok || !files.incremental() {
		return nil
	}
	m, ok := sink.(rememberer)
	if !ok {
		return fail.Usage("IncrementalNeedsTable", "the source has incremental: ByFile, and %s cannot remember which files were loaded; use a destination of type icebergTable, or incremental: None", sink.Output().Name)
	}
	files.memory = m
	return nil
}

// lakeError gives an error of the lakehouse layer its exit code. One that a retry may mend is left as it is.
func lakeError(err error) error {
	code, reason := lakehouse.Outcome(err)
	if code == runspec.ExitOK || code == runspec.ExitRetryable {
		return err
	}
	var known *fail.Error
	if errors.As(err, &known) {
		return err
	}
	return &fail.Error{Code: code, Reason: reason, Message: err.Error()}
}
