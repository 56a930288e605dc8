package lakehouse

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/apache/iceberg-go/table"
)

// Keys that this layer writes into snapshot summaries and table properties.
const (
	// SummaryToken holds the run's token in the summary of its snapshot.
	SummaryToken = "datastack.run-id" //nolint:gosec // a name, not a credential
	// SummaryWriter names the writer (the pipelineID) in the summary.
	SummaryWriter = "datastack.writer"
	// SummaryProcessed holds the path of the processed-files state in the summary.
	SummaryProcessed = "datastack.processed-files"
	// propertyWriterPrefix and the writer's name make the table property that holds the writer's last commit: it outlives
	// the snapshot's expiry, and there is one per writer, so it is bounded.
	propertyWriterPrefix = "datastack.writer."
)

// lastCommit is the value of a writer's table property.
type lastCommit struct {
	Token     string `json:"token"`
	Snapshot  string `json:"snapshot"`
	Sequence  string `json:"sequence"`
	Processed string `json:"processed,omitempty"`
}

func (c lastCommit) encode() string {
	data, _ := json.Marshal(c) // four strings cannot fail
	return string(data)
}

func readLastCommit(meta table.Metadata, writer string) (lastCommit, bool, error) {
	value, ok := meta.Properties()[propertyWriterPrefix+writer]
	if !ok || writer == "" {
		return lastCommit{}, false, nil
	}
	var c lastCommit
	if err := json.Unmarshal([]byte(value), &c); err != nil {
		return c, false, fmt.Errorf("table property %s%s is %q, which this version does not read: %w", propertyWriterPrefix, writer, value, err)
	}
	return c, true, nil
}

// ancestors lists the head of main and what it was built on, newest first, as far as it has not expired.
func ancestors(meta table.Metadata) []table.Snapshot {
	head := meta.CurrentSnapshot()
	if head == nil {
		return nil
	}
	return table.AncestorsOf(head.SnapshotID, meta.SnapshotByID)
}

// findToken returns the id of the snapshot that carries the token. It counts only as part of the history of main: after
// a rollback the run's rows are gone, so the run has to commit again.
func findToken(meta table.Metadata, token, writer string) (snapshotID int64, found bool, err error) {
	history := ancestors(meta)
	for _, s := range history {
		if s.Summary != nil && s.Summary.Properties[SummaryToken] == token {
			return s.SnapshotID, true, nil
		}
	}
	last, ok, err := readLastCommit(meta, writer)
	if err != nil || !ok || last.Token != token {
		return 0, false, err
	}
	id, expired, err := last.expiredFrom(meta, history)
	return id, expired, err
}

// expiredFrom says whether the commit belonged to the history of main and was expired since. Expiry takes the oldest
// snapshots, so that is so exactly when its snapshot is gone while all that remains of main's history is younger.
func (c lastCommit) expiredFrom(meta table.Metadata, history []table.Snapshot) (snapshotID int64, expired bool, err error) {
	id, err := strconv.ParseInt(c.Snapshot, 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("last commit of a writer names snapshot %q; expected a decimal number", c.Snapshot)
	}
	seq, err := strconv.ParseInt(c.Sequence, 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("last commit of a writer names sequence number %q; expected a decimal number", c.Sequence)
	}
	if meta.SnapshotByID(id) != nil || len(history) == 0 {
		return id, false, nil
	}
	for _, s := range history {
		if s.SequenceNumber <= seq {
			return id, false, nil
		}
	}
	return id, true, nil
}
