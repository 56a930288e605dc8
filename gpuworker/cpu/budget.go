package cpu

import (
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Budget is how the memory of the process is shared out. All figures are bytes.
type Budget struct {
	// Total is the memory that the process may use.
	Total int64
	// DuckDB is what the embedded engine may hold before it spills.
	DuckDB int64
	// Go is the soft limit for the Go runtime (batches on their way, writers).
	Go int64
}

// Shares of the total: DuckDB spills and Go collects at these; the rest covers stacks, the C library and overshoot.
const (
	duckDBShare = 45
	goShare     = 35

	minDuckDB = 64 << 20
)

// DetectBudget reads the limit of the cgroup (version 2, then 1), or half of the machine's memory when there is none.
func DetectBudget() Budget {
	total := cgroupLimit("/")
	if machine := machineMemory(); total == 0 || (machine > 0 && total > machine) {
		total = machine / 2
	}
	if total == 0 {
		total = 2 << 30
	}
	return NewBudget(total)
}

// NewBudget shares out a given total.
func NewBudget(total int64) Budget {
	return Budget{Total: total, DuckDB: max(total*duckDBShare/100, minDuckDB), Go: max(total*goShare/100, minDuckDB)}
}

// cgroupLimit is the memory limit of this process's cgroup in bytes, or 0 when it has none. In a pod the cgroup's own
// folder is the root of the mount; on a plain host /proc/self/cgroup says where it is.
func cgroupLimit(root string) int64 {
	var limit int64
	lower := func(path string) {
		if n := readLimit(path); n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	base := strings.TrimSuffix(root, "/") + "/sys/fs/cgroup"
	lower(base + "/memory.max")
	lower(base + "/memory/memory.limit_in_bytes")
	data, _ := os.ReadFile(strings.TrimSuffix(root, "/") + "/proc/self/cgroup")
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		switch {
		case fields[0] == "0":
			lower(base + fields[2] + "/memory.max")
		case strings.Contains(fields[1], "memory"):
			lower(base + "/memory" + fields[2] + "/memory.limit_in_bytes")
		}
	}
	return limit
}

// noLimit is what version 1 shows when there is no limit: close to the largest 63-bit number of pages.
const noLimit = int64(1) << 60

func readLimit(path string) int64 {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64) // "max" is no number
	if err != nil || n <= 0 || n >= noLimit {
		return 0
	}
	return n
}

func machineMemory() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

func threads() int { return runtime.GOMAXPROCS(0) }
