// Command gpuworker does the data work that a RunSpec describes: in a pod that the manager starts, or by hand.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/amdgpu-framework/datastack/gpuworker/fail"
	"github.com/amdgpu-framework/datastack/gpuworker/query"
	"github.com/amdgpu-framework/datastack/gpuworker/run"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx)
	stop()
	os.Exit(code)
}

func execute(ctx context.Context) int {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	root := &cobra.Command{
		Use: "gpuworker", Short: "Do the data work of Datastack", Version: version,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.AddCommand(run.Command(), run.TableCommand(), query.Command())
	err := root.ExecuteContext(ctx)
	if err == nil {
		return runspec.ExitOK
	}
	fmt.Fprintln(os.Stderr, "gpuworker:", err)
	var ended *run.ExitError
	if errors.As(err, &ended) {
		return int(ended.Result.ExitCode)
	}
	var known *fail.Error
	if errors.As(err, &known) {
		return int(known.Code)
	}
	return runspec.ExitUsage // what cobra refuses is a wrong command line
}
