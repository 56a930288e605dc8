package lakehouse

import "strconv"

// Committed is what an earlier commit of a token did.
type Committed struct {
	SnapshotID int64
	// Rows and Bytes were added; both are 0 when the snapshot has expired since.
	Rows, Bytes int64
}

// FindCommit looks for the commit of a token in the table as it was loaded; nil when there is none.
func FindCommit(t *Table, token, writer string) (*Committed, error) {
	id, found, err := findToken(t.Metadata(), token, writer)
	if err != nil || !found {
		return nil, err
	}
	out := &Committed{SnapshotID: id}
	if s := t.Metadata().SnapshotByID(id); s != nil && s.Summary != nil {
		// Absent when nothing was added.
		out.Rows, _ = strconv.ParseInt(s.Summary.Properties["added-records"], 10, 64)
		out.Bytes, _ = strconv.ParseInt(s.Summary.Properties["added-files-size"], 10, 64)
	}
	return out, nil
}
