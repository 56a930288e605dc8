package run

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/amdgpu-framework/datastack/gpuworker/connector"
)

// maxManifest bounds a staged JSON file.
const maxManifest = 64 << 20

// staging is where the processes of a run leave things for each other, in the destination's store.
type staging struct {
	store   connector.Store
	folder  string
	run     string
	attempt int32
}

func (s staging) key(name string) string {
	return fmt.Sprintf("%s/%s/a%d/%s", s.folder, s.run, s.attempt, name)
}

func (s staging) put(ctx context.Context, name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := s.store.Put(ctx, s.key(name), data); err != nil {
		return fmt.Errorf("write %s to the staging area: %w", s.store.URI(s.key(name)), err)
	}
	return nil
}

func (s staging) get(ctx context.Context, name string, value any) error {
	data, err := s.store.Get(ctx, s.key(name), maxManifest)
	if err != nil {
		return fmt.Errorf("read %s from the staging area: %w", s.store.URI(s.key(name)), err)
	}
	if err := json.Unmarshal(data, value); err != nil {
		return fmt.Errorf("%s in the staging area: %w", s.store.URI(s.key(name)), err)
	}
	return nil
}

// upload stores a local file and returns its key.
func (s staging) upload(ctx context.Context, name, path string) (string, error) {
	key := s.key(name)
	if err := s.store.Upload(ctx, key, path); err != nil {
		return "", fmt.Errorf("write %s to the staging area: %w", s.store.URI(key), err)
	}
	return key, nil
}

func (s staging) fetch(ctx context.Context, key, dir string) (string, error) {
	path := filepath.Join(dir, "staged-"+strings.ReplaceAll(filepath.Base(key), string(filepath.Separator), "_"))
	if err := s.store.Fetch(ctx, key, "", path); err != nil {
		return "", fmt.Errorf("read %s from the staging area: %w", s.store.URI(key), err)
	}
	return path, nil
}

// clear removes what the attempts of this run staged, rejects excepted; a leftover costs space only.
func (s staging) clear(ctx context.Context) {
	objects, err := s.store.List(ctx, s.folder+"/"+s.run+"/")
	if err != nil {
		return
	}
	for _, o := range objects {
		if !strings.Contains(o.Key, "/rejects-") {
			_ = s.store.Delete(ctx, o.Key)
		}
	}
}

// outboxStorage keeps the outbox entries of all runs of a destination, beside the folders of the runs: no run's id begins
// with '_'.
type outboxStorage struct{ staging }

func (o outboxStorage) name(name string) string { return o.folder + "/_outbox/" + name }

func (o outboxStorage) Put(ctx context.Context, name string, data []byte) error {
	return o.store.Put(ctx, o.name(name), data)
}

func (o outboxStorage) Get(ctx context.Context, name string) ([]byte, error) {
	return o.store.Get(ctx, o.name(name), maxManifest)
}

func (o outboxStorage) List(ctx context.Context, prefix string) ([]string, error) {
	objects, err := o.store.List(ctx, o.name(prefix))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, object := range objects {
		if name := strings.TrimPrefix(object.Key, o.name("")); !strings.HasPrefix(name, ".") { // half-written when its writer died
			names = append(names, name)
		}
	}
	return names, nil
}

func (o outboxStorage) Delete(ctx context.Context, name string) error {
	return o.store.Delete(ctx, o.name(name))
}
