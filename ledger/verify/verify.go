// Package verify checks answers of a ledger without trust in the server that gave them.
package verify

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/wire"
)

// Answer checks that each row's envelope is the leaf at its index in the tree of the answer's checkpoint,
// and returns the envelopes. It does not show that the checkpoint is one that others see.
func Answer(a wire.Answer) ([]record.Envelope, error) {
	root, err := base64.StdEncoding.DecodeString(a.Checkpoint.RootHash)
	if err != nil {
		return nil, fmt.Errorf("root hash of the checkpoint is not base64: %w", err)
	}
	envelopes := make([]record.Envelope, 0, len(a.Rows))
	for _, row := range a.Rows {
		env, err := checkRow(row, uint64(a.Checkpoint.Size), root)
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", row.Index, err)
		}
		envelopes = append(envelopes, env)
	}
	return envelopes, nil
}

func checkRow(row wire.Row, size uint64, root []byte) (record.Envelope, error) {
	text, err := record.Canonicalize(row.Envelope)
	if err != nil {
		return record.Envelope{}, err
	}
	env, err := record.DecodeEnvelope(text)
	if err != nil {
		return env, err
	}
	if env.Index != row.Index {
		return env, fmt.Errorf("the envelope says index %s", env.Index)
	}
	leaf := record.LeafHash(text)
	if found := hex.EncodeToString(leaf[:]); found != row.LeafHash {
		return env, fmt.Errorf("the envelope hashes to %s, the answer says %.64s: the record was changed", found, row.LeafHash)
	}
	hashes := make([][]byte, len(row.Proof))
	for i, h := range row.Proof {
		if hashes[i], err = base64.StdEncoding.DecodeString(h); err != nil {
			return env, fmt.Errorf("proof hash %d is not base64: %w", i, err)
		}
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(row.Index), size, leaf[:], hashes, root); err != nil {
		return env, fmt.Errorf("not in the tree of the checkpoint: %w", err)
	}
	return env, nil
}

// Gapless checks that the envelopes, in order, link to each other as the records of a table: none
// between the first and the last was left out. First says whether the first is the table's first.
func Gapless(table string, envelopes []record.Envelope) (first bool, err error) {
	for i, env := range envelopes {
		link, ok := env.Previous[table]
		if !ok {
			return false, fmt.Errorf("record %s does not name the table %s", env.Index, table)
		}
		if i == 0 {
			first = link == record.NoPrevious
			continue
		}
		if want := envelopes[i-1].Index.String(); link != want {
			return false, fmt.Errorf("record %s follows record %s of the table, the answer has record %s there: a record was left out", env.Index, link, want)
		}
	}
	return first, nil
}
