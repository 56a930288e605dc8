package etlpipeline

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Quota bounds how many runs go on at once in all namespaces. Places are given in
// the order in which they were asked for.
type Quota struct {
	// Max is the bound; 0 is no bound.
	Max int

	mu    sync.Mutex
	held  map[types.NamespacedName]bool
	queue []waiter
}

type waiter struct {
	name  types.NamespacedName
	asked time.Time
}

// forgetAfter drops who has stopped asking, so that it does not block the queue.
const forgetAfter = time.Minute

// Admit asks for a place. running are the pipelines whose status shows a run: after a
// restart they hold their places although nobody gave them here.
func (q *Quota) Admit(self types.NamespacedName, running []types.NamespacedName, now time.Time) bool {
	if q.Max <= 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held == nil {
		q.held = map[types.NamespacedName]bool{}
	}
	taken := len(q.held)
	for _, name := range running {
		if !q.held[name] && name != self {
			taken++
		}
	}
	if q.held[self] {
		return true
	}
	if q.position(self, now) >= q.Max-taken {
		return false
	}
	q.held[self] = true
	q.drop(self)
	return true
}

// position is the place in the queue; who is new goes to its end.
func (q *Quota) position(self types.NamespacedName, now time.Time) int {
	q.queue = slices.DeleteFunc(q.queue, func(w waiter) bool { return now.Sub(w.asked) > forgetAfter })
	i := slices.IndexFunc(q.queue, func(w waiter) bool { return w.name == self })
	if i < 0 {
		q.queue = append(q.queue, waiter{name: self})
		i = len(q.queue) - 1
	}
	q.queue[i].asked = now
	return i
}

func (q *Quota) drop(name types.NamespacedName) {
	q.queue = slices.DeleteFunc(q.queue, func(w waiter) bool { return w.name == name })
}

// Release gives a place back, and leaves the queue.
func (q *Quota) Release(name types.NamespacedName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.held, name)
	q.drop(name)
}
