package module

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// transfer is a file or folder to copy or move, and its new path.
type transfer struct {
	from, to  string
	overwrite bool
}

// transferInputs are the inputs of the modules that copy and move.
func transferInputs(source, destination string) []Input {
	return []Input{
		{Name: "source", Type: String, Required: true, Check: notEmpty, Description: source},
		{Name: "destination", Type: String, Required: true, Check: notEmpty, Description: destination},
		overwriteInput,
	}
}

func fileInputs() []Input {
	return transferInputs("The file, with * allowed in its last part.",
		"The new file; a folder if it ends in a separator or exists as one.")
}

func folderInputs() []Input {
	return transferInputs("The folder, with * allowed in its last part if the destination ends in a separator.",
		"The new folder; the folder above it if it ends in a separator.")
}

// eachTransfer runs do, a method of transfer, for all that the entries of a
// call name.
func eachTransfer(plan func(*Call, Values) ([]transfer, error), do func(transfer, context.Context) error) func(context.Context, *Call) ([]Values, error) {
	return each(func(ctx context.Context, c *Call, in Values) error {
		planned, err := plan(c, in)
		if err != nil {
			return err
		}
		for _, t := range planned {
			if err := do(t, ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// plan names the new paths of what a source names.
func plan(c *Call, in Values, found []string, intoFolder bool) []transfer {
	destination := c.Path(in.String("destination"))
	var out []transfer
	for _, f := range found {
		to := destination
		if intoFolder {
			to = filepath.Join(destination, filepath.Base(f))
		}
		out = append(out, transfer{f, to, in.Bool("overwrite", true)})
	}
	return out
}

func planFiles(c *Call, in Values) ([]transfer, error) {
	source, destination := c.Path(in.String("source")), c.Path(in.String("destination"))
	files, err := sources(source, "regular file", fs.FileMode.IsRegular)
	if err != nil {
		return nil, err
	}
	intoFolder := endsInSeparator(in.String("destination")) || isFolder(destination)
	if len(files) > 1 && !intoFolder {
		return nil, fmt.Errorf("%s matches %d files: the destination %s must be a folder or end in a separator", source, len(files), destination)
	}
	return plan(c, in, files, intoFolder), nil
}

func planFolders(c *Call, in Values) ([]transfer, error) {
	source, intoFolder := c.Path(in.String("source")), endsInSeparator(in.String("destination"))
	if hasWildcard(source) && !intoFolder {
		return nil, fmt.Errorf("the source %s has a wildcard: the destination %s must end in a separator", source, in.String("destination"))
	}
	folders, err := sources(source, "folder", fs.FileMode.IsDir)
	if err != nil {
		return nil, err
	}
	return plan(c, in, folders, intoFolder), nil
}

// sources are the files or folders that a source names, and links to them.
func sources(source, kind string, isKind func(fs.FileMode) bool) ([]string, error) {
	if !hasWildcard(source) {
		info, err := os.Stat(source)
		if err == nil && !isKind(info.Mode()) {
			err = fmt.Errorf("%s is not a %s", source, kind)
		}
		return []string{source}, err
	}
	found, err := matches(source)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range found {
		if info, err := os.Stat(f); err == nil && isKind(info.Mode()) {
			out = append(out, f)
		}
	}
	if out == nil {
		return nil, fmt.Errorf("no %s matches %s", kind, source)
	}
	return out, nil
}

// prepareFile refuses targets that must not be replaced and creates the folder
// above.
func (t transfer) prepareFile() error {
	if !t.overwrite {
		if err := refuseExisting(t.to); err != nil {
			return err
		}
	}
	from, err := os.Stat(t.from)
	if err != nil {
		return err
	}
	if to, err := os.Stat(t.to); err == nil {
		if !to.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file", t.to)
		}
		if os.SameFile(from, to) {
			return fmt.Errorf("%s and %s are the same file", t.from, t.to)
		}
	}
	return os.MkdirAll(filepath.Dir(t.to), 0o777)
}

// prepareFolder refuses targets that must not be replaced or lie in the
// source, and creates the folder above.
func (t transfer) prepareFolder() error {
	if !t.overwrite {
		if err := refuseExisting(t.to); err != nil {
			return err
		}
	}
	inside, err := contains(t.from, t.to)
	if err != nil {
		return err
	}
	if inside {
		return fmt.Errorf("%s lies within the source %s", t.to, t.from)
	}
	if _, err := os.Lstat(t.to); err == nil && !isFolder(t.to) {
		return fmt.Errorf("%s is not a folder", t.to)
	}
	return os.MkdirAll(filepath.Dir(t.to), 0o777)
}

// contains reports whether a path is a folder or lies in it, links considered.
func contains(folder, path string) (bool, error) {
	info, err := os.Stat(folder)
	if err != nil {
		return false, err
	}
	at, err := existing(path)
	if err != nil {
		return false, err
	}
	for {
		here, err := os.Stat(at)
		if err != nil || os.SameFile(info, here) {
			return err == nil, err
		}
		if at == filepath.Dir(at) {
			return false, nil
		}
		at = filepath.Dir(at)
	}
}

// existing is the part of a path that exists, without links.
func existing(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) && path != filepath.Dir(path) {
		return existing(filepath.Dir(path))
	}
	return real, err
}

// moveByCopy moves across file systems. The target is there when it is
// complete. The source goes last and at once: no second attempt shall take what
// is left of it for the whole.
func (t transfer) moveByCopy(ctx context.Context) error {
	from, err := openPlace(t.from)
	if err != nil {
		return err
	}
	defer from.dir.Close()
	to, err := openPlace(t.to)
	if err != nil {
		return err
	}
	defer to.dir.Close()
	staged := to.beside()
	err = copier{keep: true}.copy(ctx, from, staged, 0)
	if err == nil {
		err = staged.rename(to)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("moving %s to %s: %w", t.from, t.to, err), to.dir.RemoveAll(staged.name))
	}
	old := from.beside()
	if err := from.rename(old); err != nil {
		return fmt.Errorf("removing %s: %w", t.from, err)
	}
	return removeTree(context.WithoutCancel(ctx), old.String())
}
