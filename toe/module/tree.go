package module

import (
	"context"
	"fmt"
	"io/fs"
	"os"
)

// maxDepth bounds folders within folders: one or two files are open for each.
const maxDepth = 1000

// visitor is called for every entry of a folder.
type visitor func(place, fs.DirEntry) error

// walk visits all that a folder holds, the content of a folder before the
// folder. Links are visited and not followed.
func walk(ctx context.Context, dir *os.Root, visit visitor) error {
	return walkBelow(ctx, dir, 0, visit)
}

func walkBelow(ctx context.Context, dir *os.Root, depth int, visit visitor) error {
	return visitEntries(ctx, dir, depth, func(p place, e fs.DirEntry) error {
		if e.IsDir() {
			if err := walkInto(ctx, p, depth+1, visit); err != nil {
				return err
			}
		}
		return visit(p, e)
	})
}

func walkInto(ctx context.Context, p place, depth int, visit visitor) error {
	dir, err := p.dir.OpenRoot(p.name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return walkBelow(ctx, dir, depth, visit)
}

// visitEntries visits what a folder holds, in the byte order of the names. The
// folder lies depth folders below the first one.
func visitEntries(ctx context.Context, dir *os.Root, depth int, visit visitor) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: more than %d folders within each other", dir.Name(), maxDepth)
	}
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		return place{dir, "."}.named(err)
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p := place{dir, e.Name()}
		if err := visit(p, e); err != nil {
			return p.named(err)
		}
	}
	return nil
}

// removeTree removes a file, a link, or a folder with all it holds.
func removeTree(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		if err := empty(ctx, path, info); err != nil {
			return err
		}
	}
	return os.Remove(path)
}

// empty removes all that a folder holds, unless a link took its place
// meanwhile.
func empty(ctx context.Context, path string, info fs.FileInfo) error {
	dir, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	opened, err := dir.Stat(".")
	if err != nil {
		return err
	}
	if !os.SameFile(info, opened) {
		return fmt.Errorf("%s was exchanged while it was to be removed", path)
	}
	return walk(ctx, dir, func(p place, _ fs.DirEntry) error { return p.dir.Remove(p.name) })
}
