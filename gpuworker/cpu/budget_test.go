package cpu

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCgroupLimit(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"none":                  {nil, 0},
		"version 2 in a pod":    {map[string]string{"sys/fs/cgroup/memory.max": "1073741824\n"}, 1 << 30},
		"version 2, no limit":   {map[string]string{"sys/fs/cgroup/memory.max": "max\n"}, 0},
		"version 2 on a host":   {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "4096000\n"}, 4096000},
		"version 1 in a pod":    {map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n"}, 512 << 20},
		"version 1, no limit":   {map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		"version 1 on a host":   {map[string]string{"proc/self/cgroup": "9:cpu:/x\n4:memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "99\n"}, 99},
		"the lowest of several": {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/memory.max": "200\n", "sys/fs/cgroup/a/memory.max": "100\n"}, 100},
		"not a number":          {map[string]string{"sys/fs/cgroup/memory.max": "lots\n"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for path, content := range tc.files {
				path = filepath.Join(root, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := cgroupLimit(root); got != tc.want {
				t.Fatalf("limit %d; want %d", got, tc.want)
			}
		})
	}
}

func TestBudgetSharesAreWithinTheTotal(t *testing.T) {
	for _, total := range []int64{256 << 20, 1 << 30, 64 << 30} {
		b := NewBudget(total)
		if b.DuckDB+b.Go >= total || b.DuckDB <= 0 || b.Go <= 0 {
			t.Errorf("of %d: %+v", total, b)
		}
	}
	if b := DetectBudget(); b.Total <= 0 || b.DuckDB+b.Go >= b.Total {
		t.Errorf("detected %+v", b)
	}
}
