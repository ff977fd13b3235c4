// Package audit keeps a line of JSON for each request of the API: who asked for
// what, from where, and what came of it, in the shape of the vendor's trail of
// calls. Source: api.md §8.3.
//
// A line is in the file when Record returns, though not yet on the disk: it
// survives the process, and a crash of the host as far as the host's file
// system does. A file that is full becomes NAME.1, an older one NAME.2, and so
// on; the oldest goes.
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Event is one request.
type Event struct {
	Version            string          `json:"eventVersion"`
	UserIdentity       Identity        `json:"userIdentity"`
	Time               time.Time       `json:"eventTime"`
	Source             string          `json:"eventSource"`
	Name               string          `json:"eventName"` // the operation
	Region             string          `json:"awsRegion,omitempty"`
	SourceIPAddress    string          `json:"sourceIPAddress"`
	UserAgent          string          `json:"userAgent,omitempty"`
	ErrorCode          string          `json:"errorCode,omitempty"`
	ErrorMessage       string          `json:"errorMessage,omitempty"`
	RequestParameters  map[string]any  `json:"requestParameters"` // null if the request was not read
	ResponseElements   json.RawMessage `json:"responseElements"`  // null for reads and failures
	RequestID          string          `json:"requestID"`
	EventID            string          `json:"eventID"`
	ReadOnly           bool            `json:"readOnly"`
	Type               string          `json:"eventType"`
	ManagementEvent    bool            `json:"managementEvent"`
	RecipientAccountID string          `json:"recipientAccountId,omitempty"`
	Category           string          `json:"eventCategory"`
}

// Identity is who asked. Type is IAMUser, AssumedRole, or Unknown for a request
// whose signature was refused.
type Identity struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId,omitempty"`
	ARN         string `json:"arn,omitempty"`
	AccountID   string `json:"accountId,omitempty"`
	AccessKeyID string `json:"accessKeyId,omitempty"`
	UserName    string `json:"userName,omitempty"`
}

// Bounds of the files. They are bytes and a number of files beside the newest.
const (
	fileLimit = 64 << 20
	keptFiles = 9
)

// Log is an open audit log. Many may record at a time.
type Log struct {
	path  string
	limit int64

	mu   sync.Mutex
	file *os.File
	size int64
}

// Open opens the log at path, or makes it, readable for its owner only. Close
// it after use.
func Open(path string) (*Log, error) { return open(path, fileLimit) }

func open(path string, limit int64) (*Log, error) {
	l := &Log{path: path, limit: limit}
	return l, l.openFile()
}

func (l *Log) openFile() error {
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("opening the audit log: %w", err)
	}
	size, err := endLine(f)
	if err != nil {
		return errors.Join(fmt.Errorf("opening the audit log: %w", err), f.Close())
	}
	l.file, l.size = f, size
	return nil
}

// endLine ends a line that a crash cut off, and returns the size of the file.
func endLine(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil {
		return 0, err
	}
	if last[0] == '\n' {
		return info.Size(), nil
	}
	_, err = f.Write([]byte("\n"))
	return info.Size() + 1, err
}

// Record writes one line.
func (l *Log) Record(e Event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding request %s for the audit log: %w", e.RequestID, err)
	}
	line = append(line, '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > 0 && l.size+int64(len(line)) > l.limit || l.file == nil {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	if err != nil {
		return fmt.Errorf("writing request %s to the audit log: %w", e.RequestID, err)
	}
	return nil
}

// rotate begins a new file. After an error the next call tries it again.
func (l *Log) rotate() error {
	if l.file != nil {
		err := errors.Join(l.file.Sync(), l.file.Close())
		l.file = nil
		if err != nil {
			return fmt.Errorf("ending a file of the audit log: %w", err)
		}
		if err := l.shift(); err != nil {
			return fmt.Errorf("renaming files of the audit log: %w", err)
		}
	}
	return l.openFile()
}

// shift renames the files from the oldest. One that is missing, because a crash
// came between two of these, leaves a gap that the next round closes.
func (l *Log) shift() error {
	for n := keptFiles; n > 0; n-- {
		err := os.Rename(l.name(n-1), l.name(n))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// name is the path of a file: 0 is the newest.
func (l *Log) name(n int) string {
	if n == 0 {
		return l.path
	}
	return fmt.Sprintf("%s.%d", l.path, n)
}

// Close ends the log; what it holds is on the disk then.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := errors.Join(l.file.Sync(), l.file.Close())
	l.file = nil
	return err
}
