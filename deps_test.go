package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The manager holds no data: what it links shows it.
func TestManagerLinksNoDataLibrary(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}} {{.ImportPath}}{{if .CgoFiles}} cgo{{end}}", ".")
	list.Env = append(list.Environ(), "CGO_ENABLED=0")
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(output)) {
		seen++
		for _, unwanted := range []string{
			"github.com/apache/iceberg-go", "github.com/apache/arrow-go", "github.com/duckdb/", "github.com/apache/pulsar",
			"github.com/ethereum/", "github.com/aws/", "modernc.org/sqlite", "github.com/mattn/go-sqlite3", "github.com/jackc/pgx",
			"datastack/gpuworker/lakehouse", "datastack/gpuworker/connector", "datastack/ledger", "datastack/kernels",
		} {
			if strings.Contains(line, unwanted) {
				t.Errorf("the manager links %s", strings.TrimSpace(line))
			}
		}
		if strings.HasSuffix(strings.TrimSpace(line), " cgo") {
			t.Errorf("the manager would need a C library: %s", strings.TrimSpace(line))
		}
	}
	if seen < 100 {
		t.Fatalf("only %d packages were listed; the test would pass for nothing", seen)
	}
}
