package table

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/spf13/cobra"
)

// ExitError is a run that failed with a result: the process must end with its code.
type ExitError struct{ Result runspec.RunResult }

func (e *ExitError) Error() string { return e.Result.Reason + ": " + e.Result.Message }

// ExitCode is the process's exit code.
func (e *ExitError) ExitCode() int { return int(e.Result.ExitCode) }

// Command is `gpuworker table`: apply and inspect read a RunSpec and print a RunResult as JSON. report, when it is not
// nil, gets the result too, before the command ends. A run that failed is an *ExitError.
func Command(report func(runspec.RunResult) error) *cobra.Command {
	cmd := &cobra.Command{Use: "table", Short: "Make an Iceberg table as declared, or read what it is", SilenceUsage: true, SilenceErrors: true}
	cmd.AddCommand(
		subcommand("apply", "Create the table, or change it to the declared schema and properties", runspec.ActionTableApply, report),
		subcommand("inspect", "Read the table's current metadata and change nothing", runspec.ActionTableInspect, report))
	return cmd
}

func subcommand(use, short string, action runspec.Action, report func(runspec.RunResult) error) *cobra.Command {
	var specPath, mounts string
	var timeout time.Duration
	cmd := &cobra.Command{Use: use + " --spec FILE", Short: short, Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := contextWithTimeout(cmd, timeout)
			defer cancel()
			spec, err := readSpec(specPath, action)
			if err != nil {
				return &ExitError{runspec.RunResult{Outcome: runspec.OutcomeFailed, ExitCode: specExitCode(err), Reason: "InvalidRunSpec", Message: runspec.Truncate(err.Error())}}
			}
			result := Run(ctx, spec, lakehouse.Mounts(mounts))
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", result.Encode()); err != nil {
				return err
			}
			if report != nil {
				if err := report(result); err != nil {
					return err
				}
			}
			if result.Outcome == runspec.OutcomeFailed {
				return &ExitError{result}
			}
			return nil
		}}
	cmd.Flags().StringVar(&specPath, "spec", "", "the RunSpec file")
	cmd.Flags().StringVar(&mounts, "mounts", "/datastack", "the folder that holds secrets/ and volumes/")
	cmd.Flags().DurationVar(&timeout, "timeout", 15*time.Minute, "the longest that the command may take")
	if err := cmd.MarkFlagRequired("spec"); err != nil {
		panic(err) // the flag is defined two lines above
	}
	return cmd
}

func readSpec(path string, action runspec.Action) (*runspec.RunSpec, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the RunSpec: %w", err)
	}
	defer f.Close()
	spec, err := runspec.Read(f)
	if err != nil {
		return nil, err
	}
	if spec.Action != action {
		return nil, fmt.Errorf("the RunSpec's action is %s and the command does %s; run the other subcommand", spec.Action, action)
	}
	return spec, nil
}

func contextWithTimeout(cmd *cobra.Command, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	return context.WithTimeout(ctx, timeout)
}

// specExitCode tells a RunSpec of another release from one that is wrong.
func specExitCode(err error) int32 {
	var version *runspec.VersionError
	if errors.As(err, &version) {
		return runspec.ExitConfig
	}
	return runspec.ExitUsage
}
