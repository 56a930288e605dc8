package lakehouse

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// maxPassKeys bounds the keys held in memory at once: a larger upsert reads the key columns in several passes.
const maxPassKeys = 1 << 20

// upsert finds the rows that new rows replace. It works on key columns only, and remembers what it found per data file:
// data files never change, so a commit that has to be tried again looks at new files only.
type upsert struct {
	keyNames []string
	newFiles []iceberg.DataFile
	passes   int
	seed     maphash.Seed
	// found holds the sorted positions to delete, by data file.
	found map[string][]int64
}

func newUpsert(meta table.Metadata, keys []string, files []iceberg.DataFile) (*upsert, error) {
	schema := meta.CurrentSchema()
	if meta.Version() != 2 {
		return nil, refuse(ReasonUnsupportedTableFeature, "", "upsert writes position deletes, which need an Iceberg table of format version 2; the table is version %d", meta.Version())
	}
	if len(keys) == 0 {
		for _, id := range schema.IdentifierFieldIDs {
			name, _ := schema.FindColumnName(id)
			keys = append(keys, name)
		}
	}
	if len(keys) == 0 {
		return nil, refuse(ReasonInvalidConfiguration, "identifierFields", "upsert replaces rows by key and the table declares no identifierFields; declare them in the IcebergTable's schema")
	}
	for _, name := range keys {
		f, ok := schema.FindFieldByName(name)
		if !ok {
			return nil, refuse(ReasonMissingColumn, name, "key column %q is not in the table; the table has: %s", name, quoteList(fieldNames(schema)))
		}
		switch f.Type.(type) {
		case iceberg.Float32Type, iceberg.Float64Type, *iceberg.StructType, *iceberg.ListType, *iceberg.MapType:
			return nil, refuse(ReasonIdentifierRefused, name, "key column %q is %s; a key may not be a float, struct, list or map", name, f.Type)
		}
	}
	u := &upsert{keyNames: keys, newFiles: files, seed: maphash.MakeSeed(), found: map[string][]int64{}}
	var rows int64
	for _, f := range files {
		rows += f.Count()
	}
	u.passes = int(rows/maxPassKeys) + 1
	return u, nil
}

func fieldNames(schema *iceberg.Schema) []string {
	var out []string
	for _, f := range schema.Fields() {
		out = append(out, f.Name)
	}
	return out
}

func (c *committer) stageUpsert(ctx context.Context, t *Table, tx *table.Transaction, files []iceberg.DataFile, summary iceberg.Properties) (int64, error) {
	if c.upsert == nil {
		u, err := newUpsert(t.Metadata(), c.req.KeyColumns, files)
		if err != nil {
			return 0, err
		}
		c.upsert = u
	}
	deletes, replaced, err := c.upsert.deletesFor(ctx, t)
	if err != nil {
		return 0, err
	}
	if len(files) == 0 && len(deletes) == 0 {
		return 0, stageAppend(ctx, tx, nil, summary)
	}
	if len(deletes) == 0 {
		return 0, stageAppend(ctx, tx, files, summary)
	}
	return replaced, tx.NewRowDelta(summary).AddRows(files...).AddDeletes(deletes...).Commit(ctx)
}

// deletesFor writes a position delete file for each data file in which rows are replaced.
func (u *upsert) deletesFor(ctx context.Context, t *Table) (deletes []iceberg.DataFile, replaced int64, err error) {
	scan, err := t.scan(ScanRequest{})
	if err != nil {
		return nil, 0, err
	}
	live, err := scan.PlanFiles(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("plan the files of table %s: %w", t.Name(), err)
	}
	if err := u.search(ctx, t, live); err != nil {
		return nil, 0, err
	}
	for _, task := range live {
		// A row that an earlier commit deleted stays in its file: deleting it again would make the table's row count wrong.
		positions, err := notYetDeleted(ctx, t, task, u.found[task.File.FilePath()])
		if err != nil {
			return nil, 0, err
		}
		if len(positions) == 0 {
			continue
		}
		del, err := writePositionDeletes(ctx, t, task.File, positions)
		if err != nil {
			return nil, 0, err
		}
		deletes = append(deletes, del)
		replaced += int64(len(positions))
	}
	return deletes, replaced, nil
}

// search looks through the data files that it has not seen yet.
func (u *upsert) search(ctx context.Context, t *Table, live []table.FileScanTask) error {
	var unseen []iceberg.DataFile
	for _, task := range live {
		df := task.File
		if _, ok := u.found[df.FilePath()]; !ok {
			unseen = append(unseen, df)
		}
	}
	found := make(map[string][]int64, len(unseen))
	for pass := range u.passes {
		keys, err := u.newKeys(ctx, t, pass)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			continue
		}
		for _, df := range unseen {
			err := u.eachKey(ctx, t, df, pass, func(pos int64, key []byte) error {
				if _, hit := keys[string(key)]; hit {
					found[df.FilePath()] = append(found[df.FilePath()], pos)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	for _, df := range unseen {
		slices.Sort(found[df.FilePath()])
		u.found[df.FilePath()] = found[df.FilePath()]
	}
	return nil
}

// newKeys reads the keys of the new rows that belong to the pass. A key that comes twice is a *BadData that names it:
// which of the two rows should win is not for this layer to guess.
func (u *upsert) newKeys(ctx context.Context, t *Table, pass int) (map[string]struct{}, error) {
	keys := map[string]struct{}{}
	for _, df := range u.newFiles {
		err := u.eachKey(ctx, t, df, pass, func(_ int64, key []byte) error {
			if _, twice := keys[string(key)]; twice {
				return errDuplicate
			}
			keys[string(key)] = struct{}{}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return keys, nil
}

var errDuplicate = errors.New("duplicate key")

// eachKey calls fn with every row's position in the file and its key, as far as the key belongs to the pass.
func (u *upsert) eachKey(ctx context.Context, t *Table, df iceberg.DataFile, pass int, fn func(pos int64, key []byte) error) error {
	// Without its delete files a data file's rows come in file order, so that counting them gives positions.
	task := table.FileScanTask{File: df, Start: 0, Length: df.FileSizeBytes()}
	scan := t.inner.Scan(table.WithSelectedFields(u.keyNames...), table.WithMaxConcurrency(1), table.WithScanPlanningMode(table.ScanPlanningLocal))
	schema, batches, err := scan.ReadTasks(ctx, []table.FileScanTask{task})
	if err != nil {
		return fmt.Errorf("read the keys of %s: %w", df.FilePath(), err)
	}
	encode, err := newKeyEncoder(schema, u.keyNames)
	if err != nil {
		return err
	}
	pos := int64(0)
	for batch, err := range batches {
		if err != nil {
			return fmt.Errorf("read the keys of %s: %w", df.FilePath(), err)
		}
		err := u.batchKeys(encode, batch, pos, pass, fn)
		pos += batch.NumRows()
		batch.Release()
		if err != nil {
			return err
		}
	}
	if pos != df.Count() {
		return fmt.Errorf("%s has %d rows and its metadata says %d; nothing was committed, since positions could be wrong", df.FilePath(), pos, df.Count())
	}
	return nil
}

func (u *upsert) batchKeys(encode *keyEncoder, batch arrow.RecordBatch, pos int64, pass int, fn func(int64, []byte) error) error {
	rows := encode.bind(batch)
	for i := range int(batch.NumRows()) {
		key, err := rows.key(i)
		if err != nil {
			return err
		}
		if u.passes > 1 && maphash.Bytes(u.seed, key)%uint64(u.passes) != uint64(pass) { //nolint:gosec // passes are counted from 0
			continue
		}
		if err := fn(pos+int64(i), key); errors.Is(err, errDuplicate) {
			return &BadData{Reason: ReasonDuplicateKey, Column: u.keyNames[0],
				Message: fmt.Sprintf("the key %s comes twice in the new rows; remove duplicates in a transformation, so that it is clear which row wins", rows.text(i))}
		} else if err != nil {
			return err
		}
	}
	return nil
}
