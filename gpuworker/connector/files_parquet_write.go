package connector

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/uuid"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

const (
	// targetFileSize closes a file, in bytes: one lies in the scratch folder at a time.
	targetFileSize = 256 << 20
	// rowGroupRows bounds what the writer holds in memory.
	rowGroupRows = 128 << 10
)

// parquetWriter writes rows as local Parquet files, one at a time.
type parquetWriter struct {
	scratch string
	codec   compress.Compression
	target  int64
}

// writtenParquet is a finished local file; it is removed when the callback that it was given to returns.
type writtenParquet struct {
	path, sha256 string
	size, rows   int64
}

func parquetCodec(c v1alpha1.ParquetCompression) (compress.Compression, error) {
	switch c {
	case "", v1alpha1.ParquetZstd:
		return compress.Codecs.Zstd, nil
	case v1alpha1.ParquetSnappy:
		return compress.Codecs.Snappy, nil
	case v1alpha1.ParquetLZ4:
		return compress.Codecs.Lz4Raw, nil
	case v1alpha1.ParquetNone:
		return compress.Codecs.Uncompressed, nil
	}
	return compress.Codecs.Uncompressed, fail.Usage("BadSpec", "destination compression is %q; expected %s, %s, %s or %s", c, v1alpha1.ParquetZstd, v1alpha1.ParquetSnappy, v1alpha1.ParquetLZ4, v1alpha1.ParquetNone)
}

// write gives each finished file to put, numbered from 0. No rows make no file.
func (w parquetWriter) write(ctx context.Context, rows array.RecordReader, put func(number int, file writtenParquet) error) (err error) {
	var current *parquetFile
	defer func() {
		if current != nil {
			current.abandon()
		}
	}()
	number := 0
	finish := func() error {
		file, err := current.finish()
		if err == nil {
			err = put(number, file)
		}
		err = errors.Join(err, os.Remove(current.path))
		current, number = nil, number+1
		return err
	}
	for rows.Next() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if rows.RecordBatch().NumRows() == 0 {
			continue
		}
		if current == nil {
			if current, err = w.create(rows); err != nil {
				return err
			}
		}
		if err := current.out.WriteBuffered(rows.RecordBatch()); err != nil {
			return fmt.Errorf("write rows as Parquet: %w", err)
		}
		current.rows += rows.RecordBatch().NumRows()
		if current.size >= w.target {
			if err := finish(); err != nil {
				return err
			}
		}
	}
	if err := rows.Err(); err != nil || current == nil {
		return err
	}
	return finish()
}

// parquetFile is a file that is being written.
type parquetFile struct {
	file *os.File
	path string
	out  *pqarrow.FileWriter
	hash hash.Hash
	size int64
	rows int64
}

func (w parquetWriter) create(rows array.RecordReader) (*parquetFile, error) {
	p := &parquetFile{path: filepath.Join(w.scratch, "output-"+uuid.NewString()+".parquet"), hash: sha256.New()}
	var err error
	if p.file, err = os.Create(p.path); err != nil {
		return nil, err
	}
	properties := parquet.NewWriterProperties(parquet.WithCompression(w.codec), parquet.WithMaxRowGroupLength(rowGroupRows), parquet.WithCreatedBy("datastack"))
	p.out, err = pqarrow.NewFileWriter(rows.Schema(), p, properties, pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, errors.Join(fail.Data("UnsupportedType", "the rows cannot be Parquet: %v; cast the column in a transformation (columns: %v)", err, rows.Schema().Fields()), p.file.Close(), os.Remove(p.path))
	}
	return p, nil
}

// Write passes the file's bytes on, and counts and hashes them.
func (p *parquetFile) Write(data []byte) (int, error) {
	n, err := p.file.Write(data)
	p.size += int64(n)
	_, _ = p.hash.Write(data[:n]) // a hash never fails
	return n, err
}

// Close leaves the file open: finish closes it, and tells errors.
func (p *parquetFile) Close() error { return nil }

var _ io.WriteCloser = (*parquetFile)(nil)

func (p *parquetFile) finish() (writtenParquet, error) {
	err := p.out.Close()
	err = errors.Join(err, p.file.Close())
	return writtenParquet{path: p.path, sha256: hex.EncodeToString(p.hash.Sum(nil)), size: p.size, rows: p.rows}, err
}

func (p *parquetFile) abandon() {
	_ = p.out.Close()
	_ = p.file.Close()
	_ = os.Remove(p.path)
}
