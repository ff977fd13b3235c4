//go:build linux

package sanitize

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// zeros is what a shredded file holds before it is unlinked.
var zeros [256 << 10]byte

// overwrite writes size zero bytes over a file. They need not reach the disk
// before the file is unlinked: the snapshot is taken of the file system, and
// flush comes before it.
func (c *cleaner) overwrite(name string, size int64) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for size > 0 && err == nil {
		if err = c.ctx.Err(); err != nil {
			break
		}
		var n int
		n, err = f.Write(zeros[:min(size, int64(len(zeros)))])
		size -= int64(n)
	}
	return errors.Join(err, f.Close())
}

// shredAndVerify makes sure that nothing that matches is left.
func (c *cleaner) shredAndVerify(patterns ...string) {
	c.shred(patterns...)
	for _, pattern := range patterns {
		for _, name := range c.glob(pattern) {
			c.fail(fmt.Errorf("%s is still there after its removal", c.inside(name)))
		}
	}
}

// shredBelow shreds every file below a folder and leaves the folders.
func (c *cleaner) shredBelow(dir string) { c.shredTree(c.path(dir)) }

func (c *cleaner) shredTree(dir string) {
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !d.IsDir():
			c.shredFile(name)
		}
		return c.ctx.Err()
	})
	if err != nil {
		c.fail(fmt.Errorf("cleaning up %s: %w", c.inside(dir), err))
	}
}

// removeTrees shreds what is below the folders that match, removes them and
// makes sure that they are gone.
func (c *cleaner) removeTrees(pattern string) {
	for _, name := range c.glob(pattern) {
		c.shredTree(name)
		c.removeTree(name)
	}
}

// removeContent shreds and removes what is in a folder and keeps the folder.
func (c *cleaner) removeContent(dir string) {
	entries, err := os.ReadDir(c.path(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.fail(fmt.Errorf("listing %s: %w", dir, err))
	}
	for _, e := range entries {
		name := c.path(dir, e.Name())
		c.shredTree(name)
		c.removeTree(name)
	}
}

func (c *cleaner) removeTree(name string) {
	if err := os.RemoveAll(name); err != nil {
		c.fail(fmt.Errorf("removing %s: %w", c.inside(name), err))
	}
}

// removeFiles unlinks files that hold no secrets, such as caches.
func (c *cleaner) removeFiles(patterns ...string) {
	for _, pattern := range patterns {
		for _, name := range c.glob(pattern) {
			if info, err := os.Lstat(name); err == nil && !info.IsDir() {
				c.removeTree(name)
				c.emit("Removed " + c.inside(name))
			}
		}
	}
}
