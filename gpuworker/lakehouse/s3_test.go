package lakehouse

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/stretchr/testify/require"
)

// startGateway runs versitygw over a folder and gives its URL and that folder. Its metadata mode is extended attributes, in which
// conditional writes work.
func startGateway(t *testing.T, mounts string) (endpoint, data string) {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Setxattr(dir, "user.probe", []byte("1"), 0); err != nil {
		t.Fatalf("the folder for temporary files (%s) has no extended attributes, which the S3 gateway keeps its metadata in: %v; set TMPDIR to a file system that has them", dir, err)
	}
	module, err := filepath.Abs("../../hack/tools/versitygw")
	require.NoError(t, err)
	bin := filepath.Join(dir, "versitygw")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "github.com/versity/versitygw/cmd/versitygw")
	build.Dir = module
	build.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))

	data = filepath.Join(dir, "data")
	require.NoError(t, os.MkdirAll(filepath.Join(data, "warehouse"), 0o755))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())
	const access, secret = "test-access", "test-secret-key"
	cmd := exec.Command(bin, "--access", access, "--secret", secret, "--port", addr, "posix", data)
	log, err := os.Create(filepath.Join(dir, "gateway.log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + addr)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil
	}, 10*time.Second, 50*time.Millisecond)

	secrets := filepath.Join(mounts, "secrets", "s3")
	require.NoError(t, os.MkdirAll(secrets, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "accessKeyID"), []byte(access+"\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "secretAccessKey"), []byte(secret), 0o600))
	return "http://" + addr, data
}

func TestS3Warehouse(t *testing.T) {
	mounts := t.TempDir()
	endpoint, objects := startGateway(t, mounts)
	require.NoError(t, os.MkdirAll(filepath.Join(mounts, "volumes", "catalog"), 0o755))
	catalog, _ := localSpec()
	catalog.SQL.Warehouse = "s3://warehouse/lake"
	storage := v1alpha1.Storage{Type: v1alpha1.StorageS3, S3: &v1alpha1.S3Storage{Bucket: "warehouse", Endpoint: endpoint, CredentialsSecretRef: &v1alpha1.LocalRef{Name: "s3"}}}
	c, err := OpenCatalog(t.Context(), catalog, storage, Mounts(mounts))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	l := &lake{Catalog: c, dir: mounts, mounts: Mounts(mounts)}

	spec := rowsSpec("t")
	// Values with '/', '=', '%' and spaces become object names.
	spec.PartitionSpec = partitionBy("name", "identity")
	tbl := l.ensure(t, spec)
	require.Equal(t, "s3://warehouse/lake/ns.db/t", tbl.Location())
	set := write(t, tbl, rowsReader(row{1, "a/b=c", 1}, row{2, "50 %", 2}, row{3, "plain", 3}))
	commit(t, tbl, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r1", Writer: "p", Processed: []ProcessedFile{{Path: "s3://landing/f.csv", Size: 9, ETag: `"e"`}}})
	set = write(t, tbl, rowsReader(row{2, "50 %", 20}, row{4, "ä", 4}))
	res := commit(t, tbl, CommitRequest{Mode: Upsert, Files: []FileSet{set}, Token: "r2", Writer: "p"})
	require.EqualValues(t, 1, res.RowsReplaced)
	require.ElementsMatch(t, []string{"1|a/b=c|1", "2|50 %|20", "3|plain|3", "4|ä|4"}, readRows(t, tbl, ScanRequest{}))
	now, err := tbl.Reload(t.Context())
	require.NoError(t, err)
	files, err := ProcessedFiles(t.Context(), now, "p")
	require.NoError(t, err)
	require.Len(t, files, 1)

	errs := make(chan error, 4)
	for w := range cap(errs) {
		go func() {
			_, err := appendRows(t.Context(), tbl, fmt.Sprint("w", w), row{int64(100 + w), "plain", 0})
			errs <- err
		}()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
	require.Len(t, readRows(t, tbl, ScanRequest{}), 8)

	before := filesUnder(t, objects, ".parquet")
	set = write(t, tbl, rowsReader(row{7, "left over", 1}))
	require.Len(t, filesUnder(t, objects, ".parquet"), len(before)+1)
	require.NoError(t, Discard(t.Context(), tbl, set))
	require.Equal(t, before, filesUnder(t, objects, ".parquet"))
}
