// Package tree keeps the ledger's RFC 6962 Merkle tree in memory and proves inclusion and consistency
// for every size that it ever had.
package tree

import (
	"crypto/sha256"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// Hash is a node of the tree.
type Hash [sha256.Size]byte

// Tree holds the hashes of all perfect subtrees: about 64 bytes a leaf. It is not safe for use by
// several goroutines when one of them appends.
type Tree struct {
	levels [][]Hash // levels[l][i] covers the leaves [i<<l, (i+1)<<l)
	edge   *compact.Range
}

var factory = &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

// New returns an empty tree.
func New() *Tree { return &Tree{edge: factory.NewEmptyRange(0)} }

// Size is the number of leaves.
func (t *Tree) Size() uint64 { return t.edge.End() }

// Append adds one leaf hash at the right.
func (t *Tree) Append(leaf Hash) error {
	return t.edge.Append(leaf[:], func(id compact.NodeID, hash []byte) {
		for uint(len(t.levels)) <= id.Level {
			t.levels = append(t.levels, nil)
		}
		t.levels[id.Level] = append(t.levels[id.Level], Hash(hash))
	})
}

// Leaf returns the hash of one leaf.
func (t *Tree) Leaf(index uint64) (Hash, error) {
	if index >= t.Size() {
		return Hash{}, fmt.Errorf("leaf %d does not exist, the tree has %d", index, t.Size())
	}
	return t.levels[0][index], nil
}

// Root returns the root that the tree had at a size.
func (t *Tree) Root(size uint64) (Hash, error) {
	if size > t.Size() {
		return Hash{}, fmt.Errorf("size %d is larger than the tree, which has %d leaves", size, t.Size())
	}
	if size == 0 {
		return Hash(rfc6962.DefaultHasher.EmptyRoot()), nil
	}
	edge, err := factory.NewRange(0, size, t.hashes(compact.RangeNodes(0, size, nil)))
	if err != nil {
		return Hash{}, fmt.Errorf("root at size %d: %w", size, err)
	}
	root, err := edge.GetRootHash(nil)
	if err != nil {
		return Hash{}, fmt.Errorf("root at size %d: %w", size, err)
	}
	return Hash(root), nil
}

// Inclusion proves that a leaf is in the tree of a size.
func (t *Tree) Inclusion(index, size uint64) ([]Hash, error) {
	if size > t.Size() || index >= size {
		return nil, fmt.Errorf("inclusion of leaf %d at size %d: expected leaf < size <= %d", index, size, t.Size())
	}
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, fmt.Errorf("inclusion of leaf %d at size %d: %w", index, size, err)
	}
	return t.prove(nodes)
}

// Consistency proves that the tree of size from is a prefix of the tree of size to.
func (t *Tree) Consistency(from, to uint64) ([]Hash, error) {
	if from > to || to > t.Size() {
		return nil, fmt.Errorf("consistency from size %d to size %d: expected from <= to <= %d", from, to, t.Size())
	}
	nodes, err := proof.Consistency(from, to)
	if err != nil {
		return nil, fmt.Errorf("consistency from size %d to size %d: %w", from, to, err)
	}
	return t.prove(nodes)
}

func (t *Tree) prove(nodes proof.Nodes) ([]Hash, error) {
	raw, err := nodes.Rehash(t.hashes(nodes.IDs), rfc6962.DefaultHasher.HashChildren)
	if err != nil {
		return nil, err
	}
	hashes := make([]Hash, len(raw))
	for i, h := range raw {
		hashes[i] = Hash(h)
	}
	return hashes, nil
}

func (t *Tree) hashes(ids []compact.NodeID) [][]byte {
	out := make([][]byte, len(ids))
	for i, id := range ids {
		h := t.levels[id.Level][id.Index]
		out[i] = h[:]
	}
	return out
}
