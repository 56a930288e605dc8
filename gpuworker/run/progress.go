package run

import (
	"context"
	"log/slog"
	"sync"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// progress gathers totals while rows stream, and reports them.
type progress struct {
	runner *runner
	mu     sync.Mutex
	phase  v1alpha1.RunPhase
	totals v1alpha1.RunTotals
}

func (p *progress) enter(ctx context.Context, phase v1alpha1.RunPhase) {
	slog.Info("entering phase", "phase", phase, "run", p.runner.Spec.Run, "attempt", p.runner.Spec.Attempt)
	p.update(ctx, func(*v1alpha1.RunTotals) { p.phase = phase })
}

func (p *progress) read(ctx context.Context, rows int64) {
	p.update(ctx, func(t *v1alpha1.RunTotals) { t.RowsRead += rows })
}

// update changes the totals and reports them when it is time. A report that fails is logged: the result also travels by
// the termination message.
func (p *progress) update(ctx context.Context, change func(*v1alpha1.RunTotals)) {
	p.mu.Lock()
	change(&p.totals)
	phase, totals := p.phase, p.totals
	p.mu.Unlock()
	if err := p.runner.Status.Progress(ctx, phase, totals, ""); err != nil {
		slog.Warn("reporting progress failed", "error", err)
	}
}

func (r *runner) countStep(step string, rows int64) {
	if r.Metrics != nil {
		r.Metrics.Rows(step, rows)
	}
}
