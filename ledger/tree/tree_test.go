package tree

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// recursiveRoot is RFC 6962 section 2.1 read aloud, to compare with.
func recursiveRoot(leaves []Hash) Hash {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	default:
		k := 1 << (bits.Len(uint(n-1)) - 1)
		left, right := recursiveRoot(leaves[:k]), recursiveRoot(leaves[k:])
		return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
	}
}

func leaf(i int) Hash { return sha256.Sum256(fmt.Appendf([]byte{0}, "leaf %d", i)) }

func raw(hashes []Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = hashes[i][:]
	}
	return out
}

func TestEverySmallTree(t *testing.T) {
	const max = 130
	tr, leaves := New(), []Hash{}
	for n := 0; n <= max; n++ {
		want := recursiveRoot(leaves)
		got, err := tr.Root(uint64(n))
		if err != nil || got != want {
			t.Fatalf("root at size %d: got %x (%v), RFC 6962 gives %x", n, got, err, want)
		}
		if err := tr.Append(leaf(n)); err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leaf(n))
	}
	for size := uint64(1); size <= max; size++ {
		root := recursiveRoot(leaves[:size])
		for i := uint64(0); i < size; i++ {
			p, err := tr.Inclusion(i, size)
			if err != nil {
				t.Fatal(err)
			}
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, i, size, leaves[i][:], raw(p), root[:]); err != nil {
				t.Fatalf("inclusion of %d at %d: %v", i, size, err)
			}
		}
		for from := uint64(0); from <= size; from++ {
			p, err := tr.Consistency(from, size)
			if err != nil {
				t.Fatal(err)
			}
			old := recursiveRoot(leaves[:from])
			if err := proof.VerifyConsistency(rfc6962.DefaultHasher, from, size, raw(p), old[:], root[:]); err != nil {
				t.Fatalf("consistency %d to %d: %v", from, size, err)
			}
		}
	}
}

func TestOutOfRange(t *testing.T) {
	tr := New()
	for i := range 3 {
		if err := tr.Append(leaf(i)); err != nil {
			t.Fatal(err)
		}
	}
	for name, call := range map[string]func() error{
		"leaf":                  func() error { _, err := tr.Leaf(3); return err },
		"root":                  func() error { _, err := tr.Root(4); return err },
		"inclusion past size":   func() error { _, err := tr.Inclusion(2, 2); return err },
		"inclusion past tree":   func() error { _, err := tr.Inclusion(0, 4); return err },
		"consistency backwards": func() error { _, err := tr.Consistency(2, 1); return err },
		"consistency past tree": func() error { _, err := tr.Consistency(1, 4); return err },
	} {
		if call() == nil {
			t.Errorf("%s: expected an error", name)
		}
	}
}
