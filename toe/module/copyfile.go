package module

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

var copyFile = Module{
	Name:        "CopyFile",
	Description: "Copies files with their mode; a link given as source stands for its target.",
	Platforms:   anywhere,
	List:        true,
	Inputs: []Input{
		{Name: "source", Type: String, Required: true, Check: notEmpty, Description: "The file, with * allowed in its last part."},
		{Name: "destination", Type: String, Required: true, Check: notEmpty, Description: "The new file; a folder if it ends in a separator or exists as one."},
		overwriteInput,
	},
	Run: each(func(ctx context.Context, c *Call, in Values) error {
		transfers, err := planTransfers(c, in)
		if err != nil {
			return err
		}
		for _, t := range transfers {
			if err := t.prepare(in.Bool("overwrite", true)); err != nil {
				return err
			}
			if err := t.copy(ctx); err != nil {
				return err
			}
		}
		return nil
	}),
}

// transfer is one file and its new path.
type transfer struct{ from, to string }

// planTransfers resolves the wildcard and the folder forms of a destination.
func planTransfers(c *Call, in Values) ([]transfer, error) {
	source, destination := c.Path(in.String("source")), c.Path(in.String("destination"))
	files, err := sourceFiles(source)
	if err != nil {
		return nil, err
	}
	folder := endsInSeparator(in.String("destination")) || isFolder(destination)
	if len(files) > 1 && !folder {
		return nil, fmt.Errorf("%s matches %d files: the destination %s must be a folder or end in a separator", source, len(files), destination)
	}
	var out []transfer
	for _, f := range files {
		to := destination
		if folder {
			to = filepath.Join(destination, filepath.Base(f))
		}
		out = append(out, transfer{f, to})
	}
	return out, nil
}

// sourceFiles are the regular files, and links to them, that a source names.
func sourceFiles(source string) ([]string, error) {
	if !hasWildcard(source) {
		info, err := os.Stat(source)
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is not a regular file", source)
		}
		return []string{source}, err
	}
	found, err := matches(source)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, f := range found {
		if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() {
			files = append(files, f)
		}
	}
	if files == nil {
		return nil, fmt.Errorf("no file matches %s", source)
	}
	return files, nil
}

// prepare refuses targets that must not be replaced and creates the folder
// above.
func (t transfer) prepare(overwrite bool) error {
	if !overwrite {
		if err := refuseExisting(t.to); err != nil {
			return err
		}
	}
	from, err := os.Stat(t.from)
	if err != nil {
		return err
	}
	if to, err := os.Stat(t.to); err == nil {
		if to.IsDir() {
			return fmt.Errorf("%s is a folder", t.to)
		}
		if os.SameFile(from, to) {
			return fmt.Errorf("%s and %s are the same file", t.from, t.to)
		}
	}
	return os.MkdirAll(filepath.Dir(t.to), 0o777)
}

// copy writes beside the target and renames, so that the target is never half
// a file.
func (t transfer) copy(ctx context.Context) error {
	src, err := os.Open(t.from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.CreateTemp(filepath.Dir(t.to), ".ingot-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, reader(ctx, src))
	err = errors.Join(err, dst.Close())
	if err == nil {
		err = os.Chmod(dst.Name(), info.Mode())
	}
	if err == nil {
		err = os.Rename(dst.Name(), t.to)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("copying %s to %s: %w", t.from, t.to, err), os.Remove(dst.Name()))
	}
	return nil
}

// reader fails when ctx ends: a plain file takes no deadline.
func reader(ctx context.Context, r io.Reader) io.Reader { return contextReader{ctx, r} }

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
