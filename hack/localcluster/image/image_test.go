package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"archive/tar"
	"errors"
	"io"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

// contents reads an archive back through another path than it was written by.
func contents(t *testing.T, archive string) map[string]*tar.Header {
	t.Helper()
	img, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		t.Fatal(err)
	}
	stream := mutate.Extract(img)
	defer stream.Close()
	headers := map[string]*tar.Header{}
	for r := tar.NewReader(stream); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return headers
		}
		if err != nil {
			t.Fatal(err)
		}
		headers[strings.Trim(h.Name, "/")] = h
	}
}

func TestBuildHoldsFilesAndLibraries(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "tool"), "text")
	spec := Spec{Name: "test/image:dev", Entrypoint: []string{"/bin/cat"}, User: "65532", Libraries: true,
		Files: []Copy{{From: "tool", To: "/opt/deep/tool"}, {From: "/bin/cat", To: "/bin/cat"}}}
	archive := filepath.Join(root, "out", "image.tar")
	if changed, err := Build(spec, root, archive); err != nil || !changed {
		t.Fatalf("first build: changed %v, %v", changed, err)
	}
	files := contents(t, archive)
	if h := files["opt/deep/tool"]; h == nil || h.Mode&0o055 != 0o055 || h.Uid != 0 {
		t.Errorf("the file in the image: %+v, expected one of root's that everyone may read and run", h)
	}
	if h := files["tmp"]; h == nil || h.Mode != 0o1777 {
		t.Errorf("/tmp in the image: %+v, expected mode 1777", h)
	}
	libc := false
	for name := range files {
		libc = libc || strings.Contains(name, "libc.so")
	}
	if !libc {
		t.Error("the image lacks the C library that /bin/cat needs")
	}
}

func TestBuildAgainOnlyWhenContentChanges(t *testing.T) {
	root := t.TempDir()
	tool, archive := filepath.Join(root, "tool"), filepath.Join(root, "image.tar")
	write(t, tool, "one")
	spec := Spec{Name: "test/image:dev", Entrypoint: []string{"/tool"}, Files: []Copy{{From: "tool", To: "/tool"}}}
	steps := []struct {
		name   string
		change func()
		want   bool
	}{
		{"first", func() {}, true},
		{"same", func() {}, false},
		{"content", func() { write(t, tool, "two"); later := time.Now().Add(time.Hour); _ = os.Chtimes(tool, later, later) }, true},
		{"description", func() { spec.Env = []string{"A=b"} }, true},
		{"archive lost", func() { _ = os.Remove(archive) }, true},
		{"same again", func() {}, false},
	}
	for _, s := range steps {
		s.change()
		if changed, err := Build(spec, root, archive); err != nil || changed != s.want {
			t.Errorf("%s: changed %v, %v; expected %v", s.name, changed, err, s.want)
		}
	}
}

func TestErrorsNameWhatIsWrong(t *testing.T) {
	root := t.TempDir()
	list := filepath.Join(root, "images.yaml")
	build := func(s Spec) error {
		_, err := Build(s, root, filepath.Join(root, "x.tar"))
		return err
	}
	read := func(text string) error {
		write(t, list, text)
		_, err := ReadSpecs(list)
		return err
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{build(Spec{Name: "a/b:c", Files: []Copy{{From: "absent", To: "/x"}}}), filepath.Join(root, "absent")},
		{build(Spec{Name: "Not A Name"}), `"Not A Name"`},
		{build(Spec{Name: "a/b:c", PythonEnvironments: []Copy{{From: "absent", To: "/x"}}}), "make engine-venv"},
		{read("images: [{name: a/b:c}]"), "entrypoint"},
		{read("images: [{name: a/b:c, entrypoint: [/x], fils: []}]"), "fils"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got %v, expected an error with %q", c.err, c.want)
		}
	}
	_, err := Importer{}.Import(t.Context(), filepath.Join(root, "absent.tar"))
	if err == nil || !strings.Contains(err.Error(), "image build") {
		t.Errorf("importing an archive that was never built gave %v", err)
	}
}
