package etlpipeline

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/conditions"
	"github.com/amdgpu-framework/datastack/controllers/internal/ledgerref"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// dependencies are the objects that a run needs, and what each lacks ("" when ready).
type dependencies struct {
	tables map[string]runspec.Table
	ledger *runspec.Ledger

	sourceWait, destinationWait, ledgerWait string
}

// wait is the first thing that is not ready.
func (d dependencies) wait() string {
	for _, message := range []string{d.sourceWait, d.destinationWait, d.ledgerWait} {
		if message != "" {
			return message
		}
	}
	return ""
}

func resolve(ctx context.Context, c client.Reader, p *v1alpha1.ETLPipeline) (dependencies, error) {
	d := dependencies{tables: map[string]runspec.Table{}}
	for _, name := range sourceTables(&p.Spec) {
		wait, err := d.table(ctx, c, p.Namespace, name, true)
		if err != nil {
			return d, err
		}
		if d.sourceWait == "" {
			d.sourceWait = wait
		}
	}
	var err error
	if t := p.Spec.Destination.IcebergTable; t != nil {
		if d.destinationWait, err = d.table(ctx, c, p.Namespace, t.TableRef.Name, false); err != nil {
			return d, err
		}
	}
	d.ledger, d.ledgerWait, err = ledgerref.Resolve(ctx, c, p.Namespace, p.Spec.LedgerRef, p.Spec.Lineage)
	return d, err
}

// table adds an IcebergTable, and says what it lacks. One that is read must have had a first commit: a pipeline over a
// table that another pipeline is about to fill would otherwise succeed over nothing.
func (d dependencies) table(ctx context.Context, c client.Reader, namespace, name string, read bool) (string, error) {
	var table v1alpha1.IcebergTable
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &table)
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Sprintf("IcebergTable %q does not exist in namespace %s; create it, or correct tableRef", name, namespace), nil
	case err != nil:
		return "", fmt.Errorf("get IcebergTable %s: %w", name, err)
	}
	if ready, why := conditions.ReadyNow(table.Status.Conditions, table.Generation); !ready {
		return fmt.Sprintf("IcebergTable %q is not ready: %s", name, why), nil
	}
	if read && table.Status.CurrentSnapshot == nil {
		return fmt.Sprintf("nothing was ever committed to IcebergTable %q; waiting for its first rows", name), nil
	}
	d.tables[name] = runspec.Table{Spec: table.Spec}
	return "", nil
}

// sourceTables are the IcebergTables that the pipeline reads.
func sourceTables(spec *v1alpha1.ETLPipelineSpec) []string {
	var names []string
	for _, source := range sources(spec) {
		if t := source.IcebergTable; t != nil {
			names = append(names, t.TableRef.Name)
		}
	}
	return names
}

// sources are the pipeline's source and those of its steps.
func sources(spec *v1alpha1.ETLPipelineSpec) []v1alpha1.PipelineSource {
	found := []v1alpha1.PipelineSource{spec.Source}
	further := func(tables []v1alpha1.NamedSource) {
		for _, table := range tables {
			found = append(found, table.Source)
		}
	}
	for _, step := range spec.Transformations {
		switch {
		case step.Enrich != nil:
			found = append(found, step.Enrich.Source)
		case step.Polars != nil:
			further(step.Polars.Tables)
		case step.DataFusion != nil:
			further(step.DataFusion.Tables)
		}
	}
	return found
}

// refersTo says whether the pipeline needs the IcebergTable or LineageLedger.
func refersTo(spec *v1alpha1.ETLPipelineSpec, object client.Object) bool {
	if _, ok := object.(*v1alpha1.LineageLedger); ok {
		return spec.LedgerRef != nil && spec.LedgerRef.Name == object.GetName()
	}
	names := sourceTables(spec)
	if t := spec.Destination.IcebergTable; t != nil {
		names = append(names, t.TableRef.Name)
	}
	for _, name := range names {
		if name == object.GetName() {
			return true
		}
	}
	return false
}
