package lakehouse

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/stretchr/testify/require"
)

func TestDurableFileAppearsWholeOrNot(t *testing.T) {
	dir := t.TempDir()
	io, err := iceio.LoadFS(t.Context(), nil, "file://"+dir)
	require.NoError(t, err)
	require.IsType(t, durableFS{}, io, "the library uses our file IO")

	path := filepath.Join(dir, "a", "p=50%25", "f")
	w, err := durableFS{}.Create("file://" + path)
	require.NoError(t, err)
	_, err = w.Write([]byte("half"))
	require.NoError(t, err)
	require.NoFileExists(t, path, "a file that is being written has not its name yet")
	require.NoError(t, w.Close())
	require.FileExists(t, path, "the path is taken literally")
	require.ErrorIs(t, w.Close(), os.ErrClosed)

	require.NoError(t, durableFS{}.WriteFile(path, []byte("whole")))
	data, err := durableFS{}.ReadFile("file://" + path)
	require.NoError(t, err)
	require.Equal(t, "whole", string(data))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file is left")

	info, err := durableFS{}.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 5, info.Size())
	var walked []string
	require.NoError(t, durableFS{}.WalkDir("file://"+dir, func(p string, d fs.DirEntry, err error) error {
		walked = append(walked, p)
		return err
	}))
	require.Equal(t, []string{"file://" + dir, "file://" + dir + "/a", "file://" + dir + "/a/p=50%25", "file://" + path}, walked)
	require.NoError(t, durableFS{}.Remove(path))
	require.ErrorIs(t, durableFS{}.Remove(path), fs.ErrNotExist)
}

func TestFailedWriteIsNotPublished(t *testing.T) {
	dir := t.TempDir()
	w, err := durableFS{}.Create(filepath.Join(dir, "f"))
	require.NoError(t, err)
	require.NoError(t, w.(*durableFile).File.Close()) // the disk fails under the writer
	_, err = w.Write([]byte("x"))
	require.Error(t, err)
	require.ErrorContains(t, w.Close(), "write "+filepath.Join(dir, "f"))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestLocalPaths(t *testing.T) {
	for in, want := range map[string]string{"file:///a/b%20c": "/a/b%20c", "file://localhost/a": "/a", "file:/a": "/a", "/a:b": "/a:b", "a": "a"} {
		got, err := localPath(in)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, in := range []string{"s3://b/k", "file://host/a"} {
		_, err := localPath(in)
		require.Error(t, err, in)
		_, err = durableFS{}.Open(in)
		require.Error(t, err)
		_, err = durableFS{}.Create(in)
		require.Error(t, err)
	}
}
