package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// Types are found from the first files of a plan: at most so many, and no further one once so many bytes were looked at.
const (
	inferFiles = 8
	inferBytes = 64 << 20
)

// Plan lists the files that match, leaves out what was loaded before, and pins names and types of the columns.
func (f *filesSource) Plan(ctx context.Context) (*Plan, error) {
	if f.incremental() && f.memory == nil {
		return nil, fail.Usage("IncrementalNeedsTable", "the source has incremental: ByFile, which needs a destination of type icebergTable that remembers what was loaded")
	}
	files, err := f.match(ctx)
	if err != nil {
		return nil, err
	}
	schema := fileSchema{Incremental: f.incremental()}
	var notes []string
	if f.incremental() {
		matched := len(files)
		if files, err = f.unseen(ctx, files); err != nil {
			return nil, err
		}
		notes = append(notes, fmt.Sprintf("%d of %d files were loaded before", matched-len(files), matched))
	}
	note, err := f.pin(ctx, files, &schema)
	if err != nil {
		return nil, err
	}
	return f.describe(files, schema, strings.Join(append(notes, note), "; "))
}

// match lists the files whose key the glob matches. Names that begin with '_' or '.' are not data by convention: only a
// pattern that names them so finds them.
func (f *filesSource) match(ctx context.Context) ([]Object, error) {
	if !doublestar.ValidatePattern(f.spec.Glob) {
		return nil, fail.Usage("BadSpec", "glob %q is not a pattern; expected names with *, **, ?, [a-z] and {a,b}", f.spec.Glob)
	}
	folder, _ := doublestar.SplitPattern(f.spec.Glob)
	if folder == "." {
		folder = ""
	} else {
		folder += "/"
	}
	objects, err := f.store.List(ctx, folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found []Object
	for _, o := range objects {
		if ok, _ := doublestar.Match(f.spec.Glob, o.Key); ok && !hidden(f.spec.Glob, o.Key) {
			found = append(found, o)
		}
	}
	if len(found) == 0 && !f.incremental() {
		return nil, f.nothing(ctx, err, objects)
	}
	return found, nil
}

func hidden(pattern, key string) bool {
	for _, segment := range strings.Split(key, "/") {
		if mark := segment[:min(1, len(segment))]; mark == "_" || mark == "." {
			return !strings.HasPrefix(pattern, mark) && !strings.Contains(pattern, "/"+mark)
		}
	}
	return false
}

// nothing says what was looked for and what there is.
func (f *filesSource) nothing(ctx context.Context, missing error, nearby []Object) error {
	if missing != nil {
		return fail.NoInput("NoFiles", "no file matches %s: %v; correct storage or glob", f.store.URI(f.spec.Glob), missing)
	}
	if len(nearby) == 0 {
		nearby, _ = f.store.List(ctx, "") // only for the message
	}
	if len(nearby) == 0 {
		return fail.NoInput("NoFiles", "no file matches %s, and there is no file in %s", f.store.URI(f.spec.Glob), f.store.URI(""))
	}
	var names []string
	for _, o := range nearby[:min(len(nearby), 5)] {
		names = append(names, o.Key)
	}
	if len(nearby) > 5 {
		names = append(names, fmt.Sprintf("and %d more", len(nearby)-5))
	}
	return fail.NoInput("NoFiles", "no file matches %s; there are: %s", f.store.URI(f.spec.Glob), strings.Join(names, ", "))
}

// unseen leaves out the files that the sink's commits have brought in. A file that changed since counts as new.
func (f *filesSource) unseen(ctx context.Context, files []Object) ([]Object, error) {
	done, err := f.memory.processed(ctx)
	if err != nil {
		return nil, err
	}
	seen := make(map[[2]string]bool, len(done))
	for _, p := range done {
		seen[[2]string{p.Path, p.ETag}] = true
	}
	return slices.DeleteFunc(files, func(o Object) bool { return seen[[2]string{f.store.URI(o.Key), o.Version}] }), nil
}

// pin sets the columns that every reader of the plan uses, and says how they were found.
func (f *filesSource) pin(ctx context.Context, files []Object, schema *fileSchema) (note string, err error) {
	if len(f.spec.Columns) > 0 {
		schema.Declared = true
		schema.Columns, err = declaredColumns(f.spec.Columns)
		return "columns as declared", err
	}
	if len(files) == 0 {
		return "no new file", nil
	}
	db, err := f.engine()
	if err != nil {
		return "", err
	}
	defer db.Close()
	var looked int64
	var first, names string
	n := 0
	for _, o := range files[:min(len(files), inferFiles)] {
		if n > 0 && looked >= inferBytes {
			break
		}
		file, done, err := f.fetch(ctx, fileSplit(o))
		if err != nil {
			return "", err
		}
		found, err := f.format.infer(ctx, db, file)
		done()
		if err != nil {
			return "", readError(file, err)
		}
		looked += o.Size
		n++
		if found == nil {
			continue
		}
		if schema.Columns == nil {
			schema.Columns, first = found, file.uri
		} else if err := merge(f.format, schema.Columns, first, found, file.uri); err != nil {
			return "", err
		}
	}
	if schema.Columns == nil {
		return "", fail.NoInput("NoRows", "the first %d files (%s ...) have no rows, so no column types can be found; declare them in source.files.columns", n, f.store.URI(files[0].Key))
	}
	for i, c := range schema.Columns {
		if c.Type == "" { // no value in any file looked at
			c.Type = "VARCHAR"
			schema.Columns[i] = c
		}
		names += ", " + c.Name + " " + c.Type
	}
	return fmt.Sprintf("types found in %d of %d files: %s", n, len(files), strings.TrimPrefix(names, ", ")), nil
}

// merge widens the types of columns so that they hold what another file has. The files must have the same columns.
func merge(kind format, columns []fileColumn, first string, found []fileColumn, uri string) error {
	types := map[string]string{}
	for _, c := range found {
		types[c.Name] = c.Type
	}
	for i, c := range columns {
		other, ok := types[c.Name]
		if !ok {
			return missingColumn(uri, c.Name, found)
		}
		delete(types, c.Name)
		both := kind.unify(c.Type, other)
		if both == "" {
			return fail.Data("TypeMismatch", "column %q is %s in %s and %s in %s; declare its type in source.files.columns, or read the files apart", c.Name, c.Type, first, other, uri)
		}
		columns[i].Type = both
	}
	for _, c := range found {
		if _, left := types[c.Name]; left {
			return missingColumn(first, c.Name, columns)
		}
	}
	return nil
}

func missingColumn(uri, name string, has []fileColumn) error {
	return fail.NoInput("MissingColumn", "file %s has no column %q, which other files of the source have or the spec declares; it has: %s", uri, name, columnNames(has))
}

func columnNames(columns []fileColumn) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

func (f *filesSource) describe(files []Object, schema fileSchema, note string) (*Plan, error) {
	plan := &Plan{Note: note, Splits: []json.RawMessage{}}
	var err error
	if plan.Schema, err = json.Marshal(schema); err != nil {
		return nil, err
	}
	for _, o := range files {
		split, err := json.Marshal(fileSplit(o))
		if err != nil {
			return nil, err
		}
		plan.Splits = append(plan.Splits, split)
		plan.Inputs = append(plan.Inputs, Dataset{Name: f.store.URI(o.Key), Version: o.Version, Bytes: o.Size})
		plan.Bytes += o.Size
	}
	return plan, nil
}

// gone turns a file that is no longer there into an error that says so.
func gone(uri string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fail.NoInput("InputChanged", "%s is no longer there: it was removed after the run was planned; start a new run", uri)
	}
	return err
}

func declaredColumns(declared []v1alpha1.Column) ([]fileColumn, error) {
	out := make([]fileColumn, 0, len(declared))
	for _, c := range declared {
		t, err := duckType(c.Type)
		if err != nil {
			return nil, fail.Usage("BadSpec", "column %q: %v", c.Name, err)
		}
		out = append(out, fileColumn{Name: c.Name, Type: t})
	}
	return out, nil
}
