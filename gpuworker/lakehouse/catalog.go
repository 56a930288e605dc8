package lakehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/catalog/rest"
	sqlcat "github.com/apache/iceberg-go/catalog/sql"
	"github.com/apache/iceberg-go/table"
	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
	_ "modernc.org/sqlite"             // registers the driver "sqlite"
)

// defaultCatalogName is the name inside an SQL catalog's database when the spec gives none.
const defaultCatalogName = "datastack"

// openTimeout bounds the first contact with a catalog.
const openTimeout = 30 * time.Second

// Catalog is an open Iceberg catalog. It is safe for concurrent use.
type Catalog struct {
	inner     catalog.Catalog
	warehouse string
	close     func() error
}

// Close gives back connections.
func (c *Catalog) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
}

// OpenCatalog opens the catalog that a spec declares, with file IO for its storage. Credentials come from the mounts.
// A kind of catalog or storage that is not supported, or a missing mount, is a Refusal.
func OpenCatalog(ctx context.Context, c v1alpha1.Catalog, s v1alpha1.Storage, m Mounts) (*Catalog, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	switch {
	case c.Type == v1alpha1.CatalogSQL && c.SQL != nil:
		return openSQL(ctx, *c.SQL, s, m)
	case c.Type == v1alpha1.CatalogREST && c.REST != nil:
		return openREST(ctx, *c.REST, s, m)
	}
	return nil, refuse(ReasonUnsupportedCatalog, "", "catalog of type %q is not supported yet (or its member is not set); use sql (dialect sqlite or postgres) or rest", c.Type)
}

func openSQL(ctx context.Context, c v1alpha1.SQLCatalog, s v1alpha1.Storage, m Mounts) (*Catalog, error) {
	props, storageURI, err := storageProperties(s, m)
	if err != nil {
		return nil, err
	}
	warehouse, err := warehouseFor(c.Warehouse, storageURI, s)
	if err != nil {
		return nil, err
	}
	props["warehouse"] = warehouse
	db, dialect, err := openDatabase(c, m)
	if err != nil {
		return nil, err
	}
	name := c.Name
	if name == "" {
		name = defaultCatalogName
	}
	inner, err := newSQLCatalog(ctx, name, db, dialect, props)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the %s catalog: %w", c.Dialect, err), db.Close())
	}
	return &Catalog{inner: inner, warehouse: warehouse, close: db.Close}, nil
}

// newSQLCatalog retries while another process makes the same tables: on a new SQLite file both may find none.
func newSQLCatalog(ctx context.Context, name string, db *sql.DB, dialect sqlcat.SupportedDialect, props iceberg.Properties) (*sqlcat.Catalog, error) {
	if err := db.PingContext(ctx); err != nil {
		return nil, err
	}
	var err error
	for try := 1; try <= 10; try++ {
		var inner *sqlcat.Catalog
		if inner, err = sqlcat.NewCatalog(name, db, dialect, props); err == nil {
			return inner, nil
		}
		if err := sleep(ctx, backoff(try)); err != nil {
			return nil, err
		}
	}
	return nil, err
}

func openDatabase(c v1alpha1.SQLCatalog, m Mounts) (*sql.DB, sqlcat.SupportedDialect, error) {
	switch c.Dialect {
	case v1alpha1.DialectSQLite:
		path, err := sqlitePath(c, m)
		if err != nil {
			return nil, "", err
		}
		// _txlock: a write transaction takes its lock when it begins, where busy_timeout can wait; a lock taken half way
		// fails at once with SQLITE_BUSY. synchronous=FULL: an acknowledged commit survives a power loss.
		dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
			"?_pragma=busy_timeout(30000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"
		db, err := sql.Open("sqlite", dsn)
		if db != nil {
			db.SetMaxOpenConns(4)
		}
		return db, sqlcat.SQLite, err
	case v1alpha1.DialectPostgres:
		if c.DSNSecretRef == nil {
			return nil, "", refuse(ReasonInvalidConfiguration, "dsnSecretRef", "dialect postgres needs dsnSecretRef: the Secret key that holds postgres://user:password@host:5432/database")
		}
		dsn, err := m.Secret(c.DSNSecretRef.Name, c.DSNSecretRef.Key)
		if err != nil {
			return nil, "", err
		}
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			// pgx quotes the connection string in its error, password included.
			return nil, "", refuse(ReasonInvalidConfiguration, "dsnSecretRef", "key %q of Secret %q is not a PostgreSQL connection string; expected postgres://user:password@host:5432/database",
				c.DSNSecretRef.Key, c.DSNSecretRef.Name)
		}
		db.SetMaxOpenConns(4)
		db.SetConnMaxLifetime(30 * time.Minute)
		return db, sqlcat.Postgres, nil
	}
	return nil, "", refuse(ReasonUnsupportedCatalog, "dialect", "SQL dialect %q is not supported; use sqlite or postgres", c.Dialect)
}

func sqlitePath(c v1alpha1.SQLCatalog, m Mounts) (string, error) {
	if c.Path == "" {
		return "", refuse(ReasonInvalidConfiguration, "path", "dialect sqlite needs path: the SQLite file, relative to the claim's root")
	}
	path := c.Path
	if c.ClaimName != "" {
		var err error
		if path, err = m.Volume(c.ClaimName, c.Path); err != nil {
			return "", err
		}
	} else if !filepath.IsAbs(path) {
		return "", refuse(ReasonInvalidConfiguration, "path", "path %q is relative and there is no claimName; give the claim, or an absolute path", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("make the folder of the SQLite catalog: %w", err)
	}
	return path, nil
}

func openREST(ctx context.Context, c v1alpha1.RESTCatalog, s v1alpha1.Storage, m Mounts) (*Catalog, error) {
	opts := []rest.Option{}
	warehouse := ""
	if s.Type != "" {
		props, uri, err := storageProperties(s, m)
		if err != nil {
			return nil, err
		}
		opts, warehouse = append(opts, rest.WithAdditionalProps(props)), uri
	}
	if c.Warehouse != "" {
		opts = append(opts, rest.WithWarehouseLocation(c.Warehouse))
	}
	if c.Prefix != "" {
		opts = append(opts, rest.WithPrefix(c.Prefix))
	}
	auth, err := restAuth(c, m)
	if err != nil {
		return nil, err
	}
	opts = append(opts, auth...)
	inner, err := rest.NewCatalog(ctx, defaultCatalogName, c.URI, opts...)
	if err != nil {
		return nil, fmt.Errorf("open the REST catalog %s: %w", c.URI, err)
	}
	return &Catalog{inner: inner, warehouse: warehouse}, nil
}

func restAuth(c v1alpha1.RESTCatalog, m Mounts) ([]rest.Option, error) {
	if c.CredentialSecretRef == nil {
		return nil, nil
	}
	name := c.CredentialSecretRef.Name
	token, err := m.optionalSecret(name, "token")
	if err != nil {
		return nil, err
	}
	if token != "" {
		return []rest.Option{rest.WithOAuthToken(token)}, nil
	}
	id, err := m.Secret(name, "clientID")
	if err != nil {
		return nil, err
	}
	secret, err := m.Secret(name, "clientSecret")
	if err != nil {
		return nil, err
	}
	return []rest.Option{rest.WithCredential(id + ":" + secret)}, nil
}

// Table is a table as its metadata stood when it was loaded.
type Table struct {
	catalog *Catalog
	ident   table.Identifier
	inner   *table.Table
}

// Name is the dotted identifier, such as aviation.flights.
func (t *Table) Name() string { return strings.Join(t.ident, ".") }

// Location is the URI of the table's folder.
func (t *Table) Location() string { return t.inner.Location() }

// Metadata is the table's metadata, read only.
func (t *Table) Metadata() table.Metadata { return t.inner.Metadata() }

func identifier(id v1alpha1.TableIdentifier) table.Identifier {
	return append(append(table.Identifier{}, id.Namespace...), id.Name)
}

// LoadTable loads a table. One that is not there is a Refusal with reason TableNotFound.
func (c *Catalog) LoadTable(ctx context.Context, id v1alpha1.TableIdentifier) (*Table, error) {
	return c.load(ctx, identifier(id))
}

// Reload gives the table as it is now.
func (t *Table) Reload(ctx context.Context) (*Table, error) { return t.catalog.load(ctx, t.ident) }

// load retries when the metadata file is gone: another writer committed between our look at the catalog and our read,
// and old metadata is deleted after commits.
func (c *Catalog) load(ctx context.Context, ident table.Identifier) (*Table, error) {
	var err error
	for try := 1; try <= 20; try++ {
		var t *table.Table
		t, err = c.inner.LoadTable(ctx, ident)
		switch {
		case err == nil:
			return &Table{catalog: c, ident: ident, inner: t}, nil
		case errors.Is(err, catalog.ErrNoSuchTable), errors.Is(err, catalog.ErrNoSuchNamespace):
			return nil, refuse(ReasonTableNotFound, "", "table %s is not in the catalog; apply its IcebergTable first", strings.Join(ident, "."))
		case !errors.Is(err, fs.ErrNotExist) && !busy(err):
			return nil, fmt.Errorf("load table %s: %w", strings.Join(ident, "."), err)
		}
		if err := sleep(ctx, backoff(try)); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("load table %s: %w", strings.Join(ident, "."), err)
}

// busy is SQLite's answer when another process holds the lock for longer than the timeout.
func busy(err error) bool {
	return strings.Contains(err.Error(), "SQLITE_BUSY") || strings.Contains(err.Error(), "database is locked")
}
