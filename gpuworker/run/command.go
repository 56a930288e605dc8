package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
	"github.com/amdgpu-framework/datastack/gpuworker/report"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// ExitError ends the process with a result's exit code. The result has been printed.
type ExitError struct{ Result *runspec.RunResult }

func (e *ExitError) Error() string { return e.Result.Reason + ": " + e.Result.Message }

// flags are common to the commands that take a RunSpec.
type flags struct {
	spec, mounts, phase, python, terminationLog, metrics string
	shard                                                int
}

func (f *flags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.spec, "spec", "", "the RunSpec file")
	cmd.Flags().StringVar(&f.mounts, "mounts", "/datastack", "folder with secrets/NAME/KEY and volumes/CLAIM")
	cmd.Flags().StringVar(&f.terminationLog, "termination-log", report.DefaultTerminationLog, "file that gets the result, for the kubelet")
	_ = cmd.MarkFlagRequired("spec")
}

// Command is `gpuworker run`.
func Command() *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use: "run --spec FILE", Short: "Do an ETLPipeline's run, or one phase of it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, runspec.ActionPipeline, f.pipeline) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.phase, "phase", string(runspec.PhaseAll), "all, plan, work or commit")
	cmd.Flags().IntVar(&f.shard, "shard", shardFromEnvironment(), "the shard to do, from 0, in phase work")
	cmd.Flags().StringVar(&f.python, "engine-python", defaultPython(), "the Python that runs Polars and DataFusion when no engine container does")
	cmd.Flags().StringVar(&f.metrics, "metrics-address", defaultMetrics(), "address for Prometheus metrics while the run goes on; empty: none")
	return cmd
}

// TableCommand is `gpuworker table`.
func TableCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "table", Short: "Make an Iceberg table as an IcebergTable declares it, or look at it"}
	for _, sub := range []struct {
		use, short string
		action     runspec.Action
	}{
		{"apply", "Create the table, or evolve it to the declared schema", runspec.ActionTableApply},
		{"inspect", "Read the table's current state and change nothing", runspec.ActionTableInspect},
	} {
		f := &flags{phase: string(runspec.PhaseAll)}
		c := &cobra.Command{Use: sub.use + " --spec FILE", Short: sub.short, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, sub.action, Table) }}
		f.add(c)
		cmd.AddCommand(c)
	}
	return cmd
}

// run reads the RunSpec, does it, and brings the result to standard output, the termination message and the status.
func (f *flags) run(cmd *cobra.Command, action runspec.Action, do func(context.Context, Options) *runspec.RunResult) error {
	debug.SetMemoryLimit(cpu.DetectBudget().Go)
	ctx := cmd.Context()
	options := Options{Mounts: lakehouse.Mounts(f.mounts), Phase: runspec.Phase(f.phase), Shard: f.shard, EnginePython: f.python}
	result := &runspec.RunResult{Phase: options.Phase, Outcome: runspec.OutcomeSucceeded}
	err := f.open(&options, action)
	if err == nil {
		result = do(ctx, options)
	} else {
		if options.Spec != nil {
			result.RunID, result.Attempt = options.Spec.RunID, options.Spec.Attempt
		}
		finish(result, err)
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", result.Encode()); err != nil {
		return err
	}
	if err := report.Termination(f.terminationLog, result); err != nil {
		slog.Warn("writing the termination message failed", "error", err)
	}
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	if err := options.Status.Done(done, result); err != nil {
		slog.Warn("reporting the result failed; the manager reads the termination message", "error", err)
	}
	if result.Outcome != runspec.OutcomeSucceeded {
		return &ExitError{result}
	}
	return nil
}

func (f *flags) open(o *Options, action runspec.Action) error {
	file, err := os.Open(f.spec)
	if err != nil {
		return fail.Usage("BadSpec", "open the RunSpec: %w", err)
	}
	defer func() { _ = file.Close() }()
	if o.Spec, err = runspec.Read(file); err != nil {
		if version := (*runspec.VersionError)(nil); errors.As(err, &version) {
			return &fail.Error{Code: runspec.ExitConfig, Reason: "RunSpecVersion", Message: version.Error()}
		}
		return fail.Usage("BadSpec", "%s: %w", f.spec, err)
	}
	if o.Spec.Action != action {
		return fail.Usage("BadSpec", "the RunSpec's action is %s; this command does %s", o.Spec.Action, action)
	}
	if o.Status, err = report.NewStatus(o.Spec, runspec.ShardName(o.Phase, int32(o.Shard))); err != nil { //nolint:gosec // far below 2^31 shards
		return fail.Usage("BadSpec", "%w", err)
	}
	return nil
}

// pipeline serves metrics while a pipeline runs.
func (f *flags) pipeline(ctx context.Context, o Options) *runspec.RunResult {
	if f.metrics != "" {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		metrics := report.NewMetrics(o.Spec.Object)
		if address, err := metrics.Serve(ctx, f.metrics); err != nil {
			slog.Warn("serving no metrics", "error", err)
		} else {
			slog.Info("serving metrics", "address", address)
		}
		o.Metrics = metrics
	}
	return Pipeline(ctx, o)
}

func inPod() bool { return os.Getenv("DATASTACK_POD_NAME") != "" }

func defaultMetrics() string {
	if inPod() {
		return ":9090"
	}
	return ""
}

func shardFromEnvironment() int {
	shard, err := strconv.Atoi(os.Getenv("DATASTACK_SHARD"))
	if err != nil {
		return 0
	}
	return shard
}

// defaultPython is the environment that `make engine-venv` makes beside bin/.
func defaultPython() string {
	executable, err := os.Executable()
	if err != nil {
		return "python3"
	}
	return filepath.Join(filepath.Dir(executable), "..", ".venv", "engine", "bin", "python")
}
