// Package dir keeps objects as files of a folder, BUCKET/KEY, so that an
// operator finds them with ls. Buckets need not be made.
package dir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ingot.dev/ingot/blob"
)

// Store is a blob.Store in the folder of that path, which need not exist.
// A key is one file, so it cannot be both an object and the beginning of the
// keys of others up to a slash.
type Store string

var _ blob.Store = Store("")

// unfinished begins the names of files that are being written. No object has
// such a name: escape leaves no '%' that is not followed by two digits.
const unfinished = "%new-"

// maxName bounds a part of a key between slashes, in bytes, as file systems do.
const maxName = 255

// escape makes the name of a file of a part of a key: the empty one and those
// that mean another folder have names, too.
func escape(part string) string {
	part = strings.ReplaceAll(part, "%", "%25")
	if strings.Trim(part, ".") == "" {
		return "%00" + part
	}
	return part
}

func unescape(name string) string {
	return strings.ReplaceAll(strings.TrimPrefix(name, "%00"), "%25", "%")
}

// path is the file of an object, and the folder that it is in.
func (s Store) path(at blob.Location) (string, error) {
	if err := at.Check(); err != nil {
		return "", fmt.Errorf("object %s: %w", at, err)
	}
	elem := []string{string(s), at.Bucket}
	for part := range strings.SplitSeq(at.Key, "/") {
		name := escape(part)
		if len(name) > maxName {
			return "", fmt.Errorf("object %s: '%.40s…' has %d bytes, at most %d fit between two slashes", at, part, len(name), maxName)
		}
		elem = append(elem, name)
	}
	return filepath.Join(elem...), nil
}

// Put implements blob.Store.
func (s Store) Put(ctx context.Context, at blob.Location, file *os.File) (err error) {
	path, err := s.path(at)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("storing %s: %w", at, err)
		}
	}()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	w, err := os.CreateTemp(filepath.Dir(path), unfinished)
	if err != nil {
		return err
	}
	if err := errors.Join(fill(ctx, w, file), w.Close()); err != nil {
		return errors.Join(err, os.Remove(w.Name()))
	}
	if err := os.Rename(w.Name(), path); err != nil {
		return errors.Join(err, os.Remove(w.Name()))
	}
	return nil
}

// fill copies a whole file, and its bytes are on the disk when it returns.
func fill(ctx context.Context, w, file *os.File) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(w, file); err != nil {
		return err
	}
	return cmp.Or(ctx.Err(), w.Sync())
}

// Read implements blob.Store.
func (s Store) Read(ctx context.Context, at blob.Location, limit int64) ([]byte, error) {
	path, err := s.path(at)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("reading %s: %w", at, blob.ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", at, err)
	case info.Size() > limit:
		return nil, fmt.Errorf("reading %s of %d bytes: %w (%d)", at, info.Size(), blob.ErrTooLarge, limit)
	}
	data, err := os.ReadFile(path)
	if err == nil && int64(len(data)) > limit { // it was replaced meanwhile
		err = blob.ErrTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", at, err)
	}
	return data, ctx.Err()
}

// List implements blob.Store. Its cost is that of the folder which the prefix
// names up to its last slash.
func (s Store) List(ctx context.Context, at blob.Location, limit int) ([]blob.Object, error) {
	folder := at
	folder.Key = at.Key[:strings.LastIndex(at.Key, "/")+1] + "x" // any name in it
	path, err := s.path(folder)
	if err != nil {
		return nil, err
	}
	root := filepath.Dir(path)
	var out []blob.Object
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), unfinished) {
			return cmp.Or(err, ctx.Err())
		}
		key := s.key(at.Bucket, path)
		if !strings.HasPrefix(key, at.Key) {
			return nil
		}
		if len(out) == limit {
			return fmt.Errorf("%w: more than %d objects", blob.ErrTooLarge, limit)
		}
		info, err := d.Info()
		if err == nil {
			out = append(out, blob.Object{Key: key, Size: info.Size()})
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing %s: %w", at, err)
	}
	slices.SortFunc(out, func(a, b blob.Object) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

// key is the key of the object that a file is.
func (s Store) key(bucket, path string) string {
	parts := strings.Split(strings.TrimPrefix(path, filepath.Join(string(s), bucket)+"/"), "/")
	for i := range parts {
		parts[i] = unescape(parts[i])
	}
	return strings.Join(parts, "/")
}
