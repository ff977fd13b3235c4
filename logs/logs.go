// Package logs finds logs by the names that the service gives them: a group
// and, in it, a stream. Both are in the tree below Store.Dir:
//
//	REGION/ACCOUNT/aws/imagebuilder/web/1.0.0@1.log                     of an image
//	REGION/ACCOUNT/aws/imagebuilder/pipeline/nightly/2026@12@31.log     of a pipeline
//
// A folder is a part of a group's name (name.go), a file a stream, its slashes
// written as '@', which no group has. The stream of an image is a link to the
// log in the folder of its build; that of a pipeline is the log itself.
//
// All logs are lines of JSON, which are only ever added: the offset behind a
// line names it for good, and whoever reads goes on where it was (follow.go),
// also over HTTP (events.go).
package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ingot.dev/ingot"
)

// Store are the logs of a server.
type Store struct {
	Dir   string                 // of the tree
	Image func(ingot.ARN) string // the file that holds the log of an image build

	tree sync.Mutex // held while folders come or go
}

// Stream is a log of a group.
type Stream struct {
	Name    string    `json:"stream"`
	Bytes   int64     `json:"bytes"`
	Written time.Time `json:"lastWritten"`
}

// Group is a log group that has streams.
type Group struct {
	Name    string `json:"group"`
	Streams int    `json:"streams"`
}

// File is where a log is, if there is one.
func (s *Store) File(l ingot.LogStream) (string, error) {
	if err := l.Check(); err != nil {
		return "", err
	}
	dir, err := s.group(l.Scope, l.Group)
	return filepath.Join(dir, streamFile(l.Name)), err
}

// Find is File of a log that is there.
func (s *Store) Find(l ingot.LogStream) (string, error) {
	path, err := s.File(l)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", ingot.Errorf(ingot.CodeNotFound, "The log group '%s' has no stream '%s'.", l.Group, l.Name)
	} else if err != nil {
		return "", fmt.Errorf("finding stream %s of log group %s: %w", l.Name, l.Group, err)
	}
	return path, nil
}

// Name gives the log of an image build its name. Where several images share a
// group, those that find their stream taken have their own name behind it:
// nothing is mixed. It may be repeated.
func (s *Store) Name(image ingot.ARN, l ingot.LogStream) error {
	s.tree.Lock()
	defer s.tree.Unlock()
	for _, suffix := range []string{"", "/" + image.Name} {
		named := l
		named.Name += suffix
		taken, err := s.link(image, named)
		if err != nil {
			return fmt.Errorf("naming the log of %s: %w", image, err)
		}
		if !taken {
			return nil
		}
	}
	return fmt.Errorf("naming the log of %s: log group %s has a stream %s/%s of another image", image, l.Group, l.Name, image.Name)
}

func (s *Store) link(image ingot.ARN, l ingot.LogStream) (taken bool, err error) {
	path, err := s.File(l)
	if err != nil {
		return false, err
	}
	target, err := filepath.Rel(filepath.Dir(path), s.Image(image)) // the data directory may be moved
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err != nil {
		return false, err
	}
	err = os.Symlink(target, path)
	if !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	old, err := os.Readlink(path)
	return old != target, err
}

// Append adds lines to a log that it makes if need be; they are on the disk
// when it returns. A call that was cut off may be repeated with the same lines,
// which must differ from each other: those that are there are not added again.
func (s *Store) Append(l ingot.LogStream, lines []string) (err error) {
	path, err := s.File(l)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing stream %s of log group %s: %w", l.Name, l.Group, err)
		}
	}()
	s.tree.Lock()
	defer s.tree.Unlock()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	err = add(f, lines)
	return errors.Join(err, f.Close())
}

func add(f *os.File, lines []string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	end, last, err := lastLine(f, info.Size())
	if err != nil {
		return err
	}
	if err := f.Truncate(end); err != nil { // a line that was cut off comes again
		return err
	}
	for _, line := range lines[slices.Index(lines, string(last))+1:] {
		if _, err := f.WriteString(line + "\n"); err != nil {
			return err
		}
	}
	return f.Sync()
}

// maxTail is as far as lastLine looks back, in bytes.
const maxTail = 64 << 10

// lastLine returns the last whole line of the first size bytes, and the offset
// behind it. One that is longer than maxTail is not returned.
func lastLine(f *os.File, size int64) (end int64, line []byte, err error) {
	tail := make([]byte, min(size, maxTail))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil {
		return 0, nil, err
	}
	cut := bytes.LastIndexByte(tail, '\n')
	if cut < 0 {
		if size > maxTail {
			return 0, nil, fmt.Errorf("it has more than %d bytes without the end of a line", maxTail)
		}
		return 0, nil, nil
	}
	end = size - int64(len(tail)-cut) + 1
	begin := bytes.LastIndexByte(tail[:cut], '\n') + 1
	if begin == 0 && size > maxTail {
		return end, nil, nil
	}
	return end, tail[begin:cut], nil
}

// Groups lists the groups of an account in a region whose names begin with a
// prefix, in the order of their names.
func (s *Store) Groups(scope ingot.Scope, prefix string) ([]Group, error) {
	root, err := s.scope(scope)
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if _, ok := streamOf(d.Name()); ok {
			if name := groupOf(root, filepath.Dir(path)); strings.HasPrefix(name, prefix) {
				found[name]++
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing log groups: %w", err)
	}
	list := make([]Group, 0, len(found))
	for name, n := range found {
		list = append(list, Group{name, n})
	}
	slices.SortFunc(list, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Streams lists the streams of a group, the one written last at the end. A
// stream whose build was removed is left out.
func (s *Store) Streams(scope ingot.Scope, group string) ([]Stream, error) {
	if err := ingot.CheckLogGroup(group); err != nil {
		return nil, err
	}
	dir, err := s.group(scope, group)
	if err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the streams of log group %s: %w", group, err)
	}
	list := []Stream{}
	for _, f := range files {
		name, ok := streamOf(f.Name())
		if !ok {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, f.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing the streams of log group %s: %w", group, err)
		}
		list = append(list, Stream{name, info.Size(), info.ModTime().UTC()})
	}
	if len(list) == 0 {
		return nil, ingot.Errorf(ingot.CodeNotFound, "The log group '%s' has no streams.", group)
	}
	slices.SortFunc(list, func(a, b Stream) int {
		if c := a.Written.Compare(b.Written); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list, nil
}

// Prune removes the streams of days that were over at a time, the names of logs whose
// build was removed, and folders that are empty then. What it cannot remove it
// leaves for the next time.
func (s *Store) Prune(at time.Time) error {
	s.tree.Lock()
	defer s.tree.Unlock()
	var errs []error
	var folders []string
	err := filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir():
			folders = append(folders, path)
			return nil
		}
		if isOld(path, d, at) {
			errs = append(errs, os.Remove(path))
		}
		return nil
	})
	for _, dir := range slices.Backward(folders) {
		if dir != s.Dir {
			_ = os.Remove(dir) // fails unless it is empty
		}
	}
	return errors.Join(append(errs, err)...)
}

func isOld(path string, d fs.DirEntry, at time.Time) bool {
	name, ok := streamOf(d.Name())
	if !ok {
		return false
	}
	if d.Type() == fs.ModeSymlink {
		_, err := os.Stat(path)
		return errors.Is(err, fs.ErrNotExist)
	}
	day, err := time.Parse("2006/01/02", name)
	return err == nil && !day.AddDate(0, 0, 1).After(at)
}
