package lakehouse

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/stretchr/testify/require"
)

func secret(t *testing.T, dir, name, key, value string) {
	t.Helper()
	path := filepath.Join(dir, "secrets", name)
	require.NoError(t, os.MkdirAll(path, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(path, key), []byte(value), 0o600))
}

func TestOpenCatalogRefusals(t *testing.T) {
	dir := t.TempDir()
	for _, claim := range []string{"catalog", "warehouse"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "volumes", claim), 0o755))
	}
	secret(t, dir, "pg", "dsn", "postgres://u:hunter2@host:notaport/db")
	secret(t, dir, "half", "accessKeyID", "x")
	for name, tc := range map[string]struct {
		change func(*v1alpha1.Catalog, *v1alpha1.Storage)
		reason string
		want   string
	}{
		"glue": {func(c *v1alpha1.Catalog, _ *v1alpha1.Storage) {
			*c = v1alpha1.Catalog{Type: "glue", Glue: &v1alpha1.GlueCatalog{Region: "eu"}}
		}, ReasonUnsupportedCatalog, "use sql"},
		"hive": {func(c *v1alpha1.Catalog, _ *v1alpha1.Storage) {
			*c = v1alpha1.Catalog{Type: "hive", Hive: &v1alpha1.HiveCatalog{URI: "thrift://x:1"}}
		}, ReasonUnsupportedCatalog, "or rest"},
		"member missing": {func(c *v1alpha1.Catalog, _ *v1alpha1.Storage) { c.SQL = nil }, ReasonUnsupportedCatalog, "member"},
		"dialect":        {func(c *v1alpha1.Catalog, _ *v1alpha1.Storage) { c.SQL.Dialect = "oracle" }, ReasonUnsupportedCatalog, "sqlite or postgres"},
		"gcs": {func(_ *v1alpha1.Catalog, s *v1alpha1.Storage) {
			*s = v1alpha1.Storage{Type: "gcs", GCS: &v1alpha1.GCSStorage{Bucket: "b"}}
		}, ReasonUnsupportedStorage, "use s3, volume or hostPath"},
		"azure": {func(_ *v1alpha1.Catalog, s *v1alpha1.Storage) {
			*s = v1alpha1.Storage{Type: "azure", Azure: &v1alpha1.AzureStorage{Account: "a"}}
		}, ReasonUnsupportedStorage, "use s3, volume or hostPath"},
		"claim missing": {func(c *v1alpha1.Catalog, _ *v1alpha1.Storage) { c.SQL.ClaimName = "nope" }, ReasonMissingMount, `claim "nope"`},
		"out of claim":  {func(c *v1alpha1.Catalog, _ *v1alpha1.Storage) { c.SQL.Path = "../../x.db" }, ReasonInvalidConfiguration, "without '..'"},
		"relative":      {func(c *v1alpha1.Catalog, _ *v1alpha1.Storage) { c.SQL.ClaimName = "" }, ReasonInvalidConfiguration, "relative"},
		"no path":       {func(c *v1alpha1.Catalog, _ *v1alpha1.Storage) { c.SQL.Path = "" }, ReasonInvalidConfiguration, "needs path"},
		"no DSN":        {func(c *v1alpha1.Catalog, _ *v1alpha1.Storage) { c.SQL = &v1alpha1.SQLCatalog{Dialect: "postgres"} }, ReasonInvalidConfiguration, "needs dsnSecretRef"},
		"DSN not mounted": {func(c *v1alpha1.Catalog, _ *v1alpha1.Storage) {
			c.SQL = &v1alpha1.SQLCatalog{Dialect: "postgres", DSNSecretRef: &v1alpha1.SecretKeyRef{Name: "pg", Key: "nope"}}
		}, ReasonMissingMount, `key "nope" of Secret "pg"`},
		"S3 key missing": {func(_ *v1alpha1.Catalog, s *v1alpha1.Storage) {
			*s = v1alpha1.Storage{Type: "s3", S3: &v1alpha1.S3Storage{Bucket: "wh", CredentialsSecretRef: &v1alpha1.LocalRef{Name: "half"}}}
		}, ReasonMissingMount, `key "secretAccessKey" of Secret "half"`},
		"other bucket": {func(c *v1alpha1.Catalog, s *v1alpha1.Storage) {
			c.SQL.Warehouse = "s3://other/x"
			*s = v1alpha1.Storage{Type: "s3", S3: &v1alpha1.S3Storage{Bucket: "wh"}}
		}, ReasonInvalidConfiguration, "give a warehouse inside it"},
		"other scheme": {func(c *v1alpha1.Catalog, _ *v1alpha1.Storage) { c.SQL.Warehouse = "s3://wh/x" }, ReasonInvalidConfiguration, "is not in the storage"},
		"other folder": {func(c *v1alpha1.Catalog, s *v1alpha1.Storage) {
			c.SQL.Warehouse = "file:///etc"
			*s = v1alpha1.Storage{Type: "hostPath", HostPath: &v1alpha1.HostPathStorage{Path: "/data"}}
		}, ReasonInvalidConfiguration, "is not in the storage"},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := localSpec()
			tc.change(&c, &s)
			_, err := OpenCatalog(t.Context(), c, s, Mounts(dir))
			var refusal *Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, tc.reason, refusal.Reason)
			require.Contains(t, refusal.Message, tc.want)
		})
	}
	t.Run("a bad DSN is not in the error", func(t *testing.T) {
		c, s := localSpec()
		c.SQL = &v1alpha1.SQLCatalog{Dialect: "postgres", DSNSecretRef: &v1alpha1.SecretKeyRef{Name: "pg", Key: "dsn"}}
		_, err := OpenCatalog(t.Context(), c, s, Mounts(dir))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	})
}

func TestHostPathWarehouse(t *testing.T) {
	root := t.TempDir()
	c := v1alpha1.Catalog{Type: "sql", SQL: &v1alpha1.SQLCatalog{Dialect: "sqlite", Path: filepath.Join(root, "new", "c.db"), Warehouse: "file://" + root + "/wh/lake"}}
	s := v1alpha1.Storage{Type: "hostPath", HostPath: &v1alpha1.HostPathStorage{Path: root + "/wh"}}
	cat, err := OpenCatalog(t.Context(), c, s, Mounts(t.TempDir()))
	require.NoError(t, err)
	defer cat.Close()
	state, err := EnsureTable(t.Context(), cat, rowsSpec("t"))
	require.NoError(t, err)
	require.Equal(t, "file://"+root+"/wh/lake/ns.db/t", state.Location)
}

// A REST catalog gets its token, and its answers become errors that name the table.
func TestRESTCatalogCredentials(t *testing.T) {
	dir := t.TempDir()
	secret(t, dir, "rest", "token", "tok-123\n")
	var paths, auth []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.RequestURI())
		auth = append(auth, r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/config") {
			_ = json.NewEncoder(w).Encode(map[string]any{"defaults": map[string]string{}, "overrides": map[string]string{}})
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": "no such table", "type": "NoSuchTableException", "code": 404}})
	}))
	defer server.Close()
	c := v1alpha1.Catalog{Type: "rest", REST: &v1alpha1.RESTCatalog{URI: server.URL, Warehouse: "main", Prefix: "p", CredentialSecretRef: &v1alpha1.LocalRef{Name: "rest"}}}
	s := v1alpha1.Storage{Type: "s3", S3: &v1alpha1.S3Storage{Bucket: "wh", Endpoint: "http://127.0.0.1:1", PathStyle: ptr(true)}}
	cat, err := OpenCatalog(t.Context(), c, s, Mounts(dir))
	require.NoError(t, err)
	_, err = cat.LoadTable(t.Context(), rowsSpec("t").Identifier)
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, ReasonTableNotFound, refusal.Reason)
	require.Contains(t, paths[0], "/v1/config?warehouse=main")
	require.Equal(t, "/v1/p/namespaces/ns/tables/t", strings.Split(paths[1], "?")[0])
	for _, a := range auth {
		require.Equal(t, "Bearer tok-123", a)
	}

	c.REST.CredentialSecretRef.Name = "nothing"
	_, err = OpenCatalog(t.Context(), c, s, Mounts(dir))
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, ReasonMissingMount, refusal.Reason)
	server.Close()
	c.REST.CredentialSecretRef = nil
	_, err = OpenCatalog(t.Context(), c, s, Mounts(dir))
	require.ErrorContains(t, err, "open the REST catalog "+server.URL)
}

func TestOutcomes(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		code   int32
		reason string
	}{
		"success":        {nil, 0, ""},
		"refused drop":   {&Refusal{Reason: ReasonDropRefused}, 64, ReasonDropRefused},
		"no table":       {&Refusal{Reason: ReasonTableNotFound}, 66, ReasonTableNotFound},
		"no mount":       {&Refusal{Reason: ReasonMissingMount}, 78, ReasonMissingMount},
		"missing column": {&BadData{Reason: ReasonMissingColumn}, 66, ReasonMissingColumn},
		"bad value":      {&BadData{Reason: ReasonValueDoesNotFit}, 65, ReasonValueDoesNotFit},
		"conflict":       {&CommitError{}, 1, ReasonCommitConflict},
		"unknown":        {&CommitError{Unknown: true, Err: &BadData{}}, 1, ReasonCommitUnknown},
		"other":          {os.ErrClosed, 1, "Failed"},
	} {
		t.Run(name, func(t *testing.T) {
			code, reason := Outcome(tc.err)
			require.Equal(t, tc.code, code)
			require.Equal(t, tc.reason, reason)
		})
	}
}
