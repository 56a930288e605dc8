package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/amdgpu-framework/datastack/ledger/verify"
	"github.com/amdgpu-framework/datastack/ledger/wire"
)

// maxAnswerBytes bounds a saved answer.
const maxAnswerBytes = 256 << 20

// verifyAnswer checks a saved answer and says in words what is proven and what is not.
func verifyAnswer(text []byte, stdout io.Writer) error {
	var a wire.Answer
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("expected an answer of the ledger: %w", err)
	}
	envelopes, err := verify.Answer(a)
	if err != nil {
		return fmt.Errorf("NOT VALID: %w", err)
	}
	out := bufio.NewWriter(stdout)
	fmt.Fprintf(out, "proven: %d records are in the tree of %s at size %s\n", len(envelopes), a.Checkpoint.Origin, a.Checkpoint.Size)
	if a.Table != "" {
		first, err := verify.Gapless(a.Table, envelopes)
		if err != nil {
			return fmt.Errorf("NOT VALID as a whole answer (a time window may leave records out; ask without one): %w", err)
		}
		fmt.Fprintf(out, "proven: no record of %s is missing between the first and the last of them\n", a.Table)
		if !first {
			fmt.Fprintln(out, "not proven: earlier records of the table exist and are not part of this answer")
		}
		fmt.Fprintln(out, "not proven: that no later record of the table exists at this size")
	}
	fmt.Fprintln(out, "not proven: that others see this checkpoint (it is neither signed nor anchored)")
	return out.Flush()
}

func verifyInput(args []string, stdin io.Reader) ([]byte, error) {
	flags := newFlags("verify")
	if err := flags.Parse(args); err != nil {
		return nil, errors.Join(errUsage, err)
	}
	if flags.NArg() != 1 {
		return nil, fmt.Errorf("%w: expected one FILE, or - for standard input", errUsage)
	}
	in := stdin
	if name := flags.Arg(0); name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxAnswerBytes+1))
	if err == nil && len(text) > maxAnswerBytes {
		err = fmt.Errorf("answer is over %d bytes: save it in pages", maxAnswerBytes)
	}
	return text, err
}
