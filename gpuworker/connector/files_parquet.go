package connector

import (
	"context"
	"fmt"
	"strings"

	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// parquetFiles reads Parquet, whose files say their types. A file is read only as types that hold its values exactly.
type parquetFiles struct{}

// parquetWider lists the types that hold all values of another type.
var parquetWider = map[[2]string]bool{
	{"TINYINT", "SMALLINT"}: true, {"TINYINT", "INTEGER"}: true, {"TINYINT", "BIGINT"}: true, {"SMALLINT", "INTEGER"}: true, {"SMALLINT", "BIGINT"}: true,
	{"INTEGER", "BIGINT"}: true, {"UTINYINT", "INTEGER"}: true, {"USMALLINT", "INTEGER"}: true, {"UINTEGER", "BIGINT"}: true, {"UTINYINT", "BIGINT"}: true, {"USMALLINT", "BIGINT"}: true,
	{"INTEGER", "DOUBLE"}: true, {"FLOAT", "DOUBLE"}: true, {"DATE", "TIMESTAMP"}: true, {"TIMESTAMP", "TIMESTAMP_NS"}: false, {"TIMESTAMP_MS", "TIMESTAMP"}: true,
}

func (parquetFiles) unify(a, b string) string {
	switch {
	case a == b || parquetWider[[2]string{b, a}]:
		return a
	case parquetWider[[2]string{a, b}]:
		return b
	}
	return ""
}

func parquetRead(f localFile) string {
	return "read_parquet(" + cpu.Literal(f.path) + ", hive_partitioning=false)"
}

func (parquetFiles) infer(ctx context.Context, db *cpu.Engine, f localFile) ([]fileColumn, error) {
	return describe(ctx, db, parquetRead(f))
}

func (p parquetFiles) query(ctx context.Context, db *cpu.Engine, f localFile, s *fileSchema, _ int64) (string, error) {
	has, err := describe(ctx, db, parquetRead(f))
	if err != nil {
		return "", err
	}
	if err := s.check(f.uri, has); err != nil {
		return "", err
	}
	types := map[string]string{}
	for _, c := range has {
		types[c.Name] = c.Type
	}
	out := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		if found := types[c.Name]; p.unify(c.Type, found) != c.Type {
			return "", fail.Data("TypeMismatch", "column %q of %s is %s, and expected is %s, which cannot hold all its values; declare another type in source.files.columns and cast in a transformation", c.Name, f.uri, found, c.Type)
		}
		name := cpu.Quote(c.Name)
		out[i] = fmt.Sprintf("%s::%s AS %s", name, c.Type, name)
	}
	return "SELECT " + strings.Join(out, ", ") + " FROM " + parquetRead(f), nil
}

func (parquetFiles) rejected(context.Context, *cpu.Engine) ([]reject, int64, error) {
	return nil, 1, nil
}
