// Command ledgerd keeps a tamper-evident ledger of data operations.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// exitUsage is the exit code for a wrong command line, as sysexits.h has it.
const exitUsage = 64

var errUsage = errors.New("usage")

const usage = `usage:
  ledgerd serve   --data DIR --token-file FILE [--token-file FILE ...] [--listen ADDR] [--origin NAME]
  ledgerd lineage --url URL --token-file FILE TABLE
  ledgerd verify  FILE|-      checks a saved answer of GET /v1/tables/{table}/records or /v1/records/{index}
Every flag is explained by ledgerd COMMAND -h.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := command(ctx, os.Args[1:])
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "ledgerd: %v\n%s", err, usage)
		os.Exit(exitUsage)
	default:
		fmt.Fprintf(os.Stderr, "ledgerd: %v\n", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: expected a command", errUsage)
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:], func(addr string) { fmt.Fprintf(os.Stderr, "ledgerd: listening on %s\n", addr) })
	case "lineage":
		return lineage(ctx, args[1:], os.Stdout)
	case "verify":
		text, err := verifyInput(args[1:], os.Stdin)
		if err != nil {
			return err
		}
		return verifyAnswer(text, os.Stdout)
	}
	return fmt.Errorf("%w: unknown command %q", errUsage, args[0])
}

// paths is a flag that may be given several times.
type paths []string

func (p *paths) String() string         { return fmt.Sprint(*p) }
func (p *paths) Set(value string) error { *p = append(*p, value); return nil }

func newFlags(name string) *flag.FlagSet {
	return flag.NewFlagSet("ledgerd "+name, flag.ContinueOnError)
}
