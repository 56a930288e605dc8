package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/amdgpu-framework/datastack/ledger/client"
	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/verify"
)

// maxUpstream bounds the datasets of one printed lineage.
const maxUpstream = 1000

// lineage prints where a table came from, back to datasets that no record wrote. Every record is checked
// against the ledger's checkpoint before it is printed.
func lineage(ctx context.Context, args []string, stdout io.Writer) error {
	flags := newFlags("lineage")
	url := flags.String("url", "", "URL of the ledger (required)")
	tokenFile := flags.String("token-file", "", "file with the bearer token (required)")
	if err := flags.Parse(args); err != nil {
		return errors.Join(errUsage, err)
	}
	if *url == "" || *tokenFile == "" || flags.NArg() != 1 {
		return fmt.Errorf("%w: expected --url, --token-file and one TABLE", errUsage)
	}
	w := &walk{client: &client.Client{URL: *url, TokenFile: *tokenFile}, out: bufio.NewWriter(stdout), seen: map[string]bool{}}
	// What was found before an error is printed too.
	if err := errors.Join(w.upstream(ctx, flags.Arg(0), 0), w.out.Flush()); err != nil {
		return err
	}
	if !w.found {
		return fmt.Errorf("no record writes %q: name the table as namespace.table, or a file by its URI", flags.Arg(0))
	}
	return nil
}

type walk struct {
	client *client.Client
	out    *bufio.Writer
	seen   map[string]bool
	found  bool
}

func (w *walk) upstream(ctx context.Context, name string, depth int) error {
	indent := strings.Repeat("  ", depth)
	if w.seen[name] {
		fmt.Fprintf(w.out, "%s%s (shown above)\n", indent, name)
		return nil
	}
	if len(w.seen) >= maxUpstream {
		return fmt.Errorf("the lineage has over %d datasets: ask for one further upstream", maxUpstream)
	}
	w.seen[name] = true
	fmt.Fprintf(w.out, "%s%s\n", indent, name)
	answer, err := w.client.Records(ctx, name, client.Query{})
	if err != nil {
		return err
	}
	envelopes, err := verify.Answer(answer)
	if err != nil {
		return fmt.Errorf("the ledger's answer about %s is not valid: %w", name, err)
	}
	var sources []string
	for _, env := range envelopes {
		r := env.Record
		if !names(r.Destinations, name) {
			continue
		}
		w.found = true
		fmt.Fprintf(w.out, "%s  <- %s\n", indent, describe(env))
		for _, s := range r.Sources {
			if s.Name != name {
				sources = append(sources, s.Name)
			}
		}
	}
	done := map[string]bool{}
	for _, s := range sources {
		if done[s] {
			continue
		}
		done[s] = true
		if err := w.upstream(ctx, s, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func describe(env record.Envelope) string {
	r := env.Record
	text := fmt.Sprintf("record %s: %s at %s by run %s", env.Index, r.Type, r.Time.Format(time.RFC3339), r.RunID)
	if r.RowCount != nil {
		text += fmt.Sprintf(", %s rows", r.RowCount)
	}
	return text
}

func names(sets []record.Dataset, name string) bool {
	for _, d := range sets {
		if d.Name == name {
			return true
		}
	}
	return false
}
