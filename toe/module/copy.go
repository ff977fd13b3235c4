package module

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"
)

// place is an entry of an open folder. Whatever happens to the paths of a tree
// while it is worked on, a name in an open folder stays within that folder.
type place struct {
	dir  *os.Root
	name string // without separators
}

func (p place) String() string { return filepath.Join(p.dir.Name(), p.name) }

// named completes the path in an error of os.Root, which has the last part
// alone.
func (p place) named(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) && e.Path == p.name {
		e.Path = p.String()
	}
	if e := (*os.LinkError)(nil); errors.As(err, &e) && e.New == p.name {
		e.New = p.String()
	}
	return err
}

// openPlace opens the folder above a path.
func openPlace(path string) (place, error) {
	dir, err := os.OpenRoot(filepath.Dir(path))
	return place{dir, filepath.Base(path)}, err
}

// beside is a new name in the same folder, for what is made there first and
// then renamed.
func (p place) beside() place { return place{p.dir, stagingName()} }

func stagingName() string { return ".ingot-" + rand.Text() }

// rename puts p in the place of to, in the same folder.
func (p place) rename(to place) error { return p.dir.Rename(p.name, to.name) }

// create makes a new file for its owner's eyes.
func (p place) create() (*os.File, error) {
	return p.dir.OpenFile(p.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// put has a file or link written. Another one with the name stays until the new
// one is complete.
func (p place) put(write func(place) error) error {
	err := write(p)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := p.dir.Lstat(p.name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a folder", p)
	}
	staged := p.beside()
	err = write(staged)
	if err == nil {
		err = staged.rename(p)
	}
	if err != nil {
		return errors.Join(err, p.dir.RemoveAll(staged.name))
	}
	return nil
}

// copier copies files, folders and links.
type copier struct {
	keep bool // owner and times, too: the copy replaces the original
}

// copy copies an entry, a link as a link. Folders of equal name are merged.
func (c copier) copy(ctx context.Context, from, to place, depth int) error {
	info, err := from.dir.Lstat(from.name)
	if err != nil {
		return err
	}
	switch info.Mode().Type() {
	case 0: // a regular file
		return c.file(ctx, from, to)
	case fs.ModeDir:
		return c.folder(ctx, from, to, depth)
	case fs.ModeSymlink:
		return c.link(from, to, info)
	}
	return fmt.Errorf("%s is neither a file nor a folder nor a link", from)
}

func (c copier) file(ctx context.Context, from, to place) error {
	src, err := from.dir.OpenFile(from.name, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	return to.put(func(to place) error { return c.content(ctx, src, to) })
}

// content copies an open file to a new one.
func (c copier) content(ctx context.Context, src *os.File, to place) error {
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := to.create()
	if err != nil {
		return err
	}
	err = errors.Join(copyData(ctx, dst, src, info), c.attributes(to, info, dst.Chmod), dst.Close())
	if err != nil {
		return errors.Join(fmt.Errorf("copying %s to %s: %w", src.Name(), to, err), to.dir.Remove(to.name))
	}
	return c.times(to, info)
}

// attributes sets the mode last: a change of owner clears the set-id bits.
func (c copier) attributes(p place, info fs.FileInfo, chmod func(fs.FileMode) error) error {
	if c.keep {
		if err := keepOwner(p, info); err != nil {
			return err
		}
	}
	return chmod(info.Mode())
}

func (c copier) times(p place, info fs.FileInfo) error {
	if !c.keep {
		return nil
	}
	return p.dir.Chtimes(p.name, time.Time{}, info.ModTime()) // the time of access stays new
}

func (c copier) link(from, to place, info fs.FileInfo) error {
	target, err := from.dir.Readlink(from.name)
	if err != nil {
		return err
	}
	return to.put(func(to place) error {
		if err := to.dir.Symlink(target, to.name); err != nil || !c.keep {
			return err
		}
		return keepOwner(to, info)
	})
}

func (c copier) folder(ctx context.Context, from, to place, depth int) error {
	src, err := from.dir.OpenRoot(from.name)
	if err != nil {
		return err
	}
	defer src.Close()
	return c.tree(ctx, src, to, depth)
}

// tree copies an open folder and what it holds. A target that exists keeps its
// mode: a few files that are merged into /etc are no reason to change it.
func (c copier) tree(ctx context.Context, src *os.Root, to place, depth int) error {
	info, err := src.Stat(".")
	if err != nil {
		return err
	}
	isNew, err := to.makeFolder(info.Mode().Perm() | 0o700) // to write in it
	if err != nil {
		return err
	}
	dst, err := to.dir.OpenRoot(to.name)
	if err != nil {
		return err
	}
	defer dst.Close()
	err = visitEntries(ctx, src, depth, func(p place, _ fs.DirEntry) error {
		return c.copy(ctx, p, place{dst, p.name}, depth+1)
	})
	if !isNew {
		return err
	}
	return errors.Join(err, c.finish(to, dst, info)) // a second attempt keeps the mode, too
}

// makeFolder makes a folder, or finds it there.
func (p place) makeFolder(perm fs.FileMode) (isNew bool, err error) {
	err = p.dir.Mkdir(p.name, perm)
	if !errors.Is(err, fs.ErrExist) {
		return err == nil, err
	}
	info, err := p.dir.Lstat(p.name)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", p)
	}
	return false, err
}

// finish gives a new folder its attributes, now that it is full.
func (c copier) finish(p place, dir *os.Root, info fs.FileInfo) error {
	chmod := func(mode fs.FileMode) error { return dir.Chmod(".", mode) }
	if err := c.attributes(p, info, chmod); err != nil {
		return err
	}
	return c.times(p, info)
}

const copyPiece = 64 << 20 // bytes between two looks at the context

// copyData copies what a file holds, and leaves out its holes.
func copyData(ctx context.Context, dst, src *os.File, info fs.FileInfo) error {
	if !isSparse(info) {
		return copyBytes(ctx, dst, src, math.MaxInt64)
	}
	for offset := int64(0); offset < info.Size(); {
		start, end, err := nextData(src, offset, info.Size())
		if err != nil {
			return err
		}
		for _, f := range []*os.File{src, dst} {
			if _, err := f.Seek(start, io.SeekStart); err != nil {
				return err
			}
		}
		if err := copyBytes(ctx, dst, src, end-start); err != nil {
			return err
		}
		offset = end
	}
	return dst.Truncate(info.Size())
}

// copyBytes copies n bytes, or less if the file ends before.
func copyBytes(ctx context.Context, dst, src *os.File, n int64) error {
	for n > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		done, err := io.CopyN(dst, src, min(n, copyPiece))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		n -= done
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
