//go:build linux

// Package sanitize removes from a Linux instance what must not be in an image
// made from it: host keys, the machine's id, logs, what cloud-init remembers.
//
// Nothing happens unless WorkingDirectory holds the file perform_cleanup. A
// component keeps a section's files by creating the section's skip file there.
// Source of the lists and their order: recipes-and-infrastructure.md §6.
package sanitize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Skipped is the line that says that nothing was asked for.
const Skipped = "Skipping cleanup"

// Marker is the file of the working directory that asks for the clean-up.
const Marker = "perform_cleanup"

// Options say where to clean up.
type Options struct {
	Root             string // "/" in an instance
	WorkingDirectory string // of the recipe, as seen in the instance; "" is /tmp
}

// Run cleans up and emits a line for each thing it did. Missing files are no
// error; listed ones that cannot be removed are, all of them together.
func Run(ctx context.Context, o Options, emit func(line string)) error {
	if o.WorkingDirectory == "" {
		o.WorkingDirectory = "/tmp"
	}
	c := &cleaner{ctx: ctx, root: o.Root, work: o.WorkingDirectory, emit: emit}
	wanted, err := c.takeMarker()
	if err != nil {
		return err
	}
	if !wanted {
		emit(Skipped)
		return nil
	}
	for _, s := range sections {
		c.section(s)
	}
	for _, r := range always {
		r(c)
	}
	c.finish()
	if err := c.flush(); err != nil {
		c.fail(err)
	}
	return errors.Join(append(c.errs, ctx.Err())...)
}

// cleaner removes files below root and remembers what it could not remove.
type cleaner struct {
	ctx        context.Context
	root, work string
	emit       func(string)
	errs       []error
}

func (c *cleaner) fail(err error) {
	c.emit(err.Error())
	c.errs = append(c.errs, err)
}

// takeMarker removes the marker and reports whether it was there.
func (c *cleaner) takeMarker() (bool, error) {
	err := os.Remove(c.path(c.work, Marker))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("removing the marker %s: %w", Marker, err)
	}
	return true, nil
}

// section removes the files of one section unless its skip file is there.
func (c *cleaner) section(s section) {
	if _, err := os.Lstat(c.path(c.work, s.skip)); err == nil {
		c.emit("Skipping cleanup of " + s.name)
		return
	}
	c.emit("Cleaning up " + s.name)
	s.clean(c)
}

// path is where a path of the instance is found: below root, and in its own
// folder even if it holds "..".
func (c *cleaner) path(elem ...string) string {
	return filepath.Join(c.root, filepath.Join("/", filepath.Join(elem...)))
}

// glob lists what matches a pattern of the instance. The parts before the last
// may be patterns too.
func (c *cleaner) glob(pattern string) []string {
	names, err := filepath.Glob(c.path(pattern))
	if err != nil {
		c.fail(fmt.Errorf("listing %s: %w", pattern, err)) // a malformed pattern: ours
	}
	return names
}

// shred overwrites files with zeros, once, and unlinks them. Links and special
// files are unlinked only: what they point to is not theirs.
func (c *cleaner) shred(patterns ...string) {
	for _, pattern := range patterns {
		for _, name := range c.glob(pattern) {
			c.shredFile(name)
		}
	}
}

func (c *cleaner) shredFile(name string) {
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return
	}
	if err == nil && info.Mode().IsRegular() && links(info) == 1 {
		err = c.overwrite(name, info.Size())
	}
	if err == nil {
		err = os.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.fail(fmt.Errorf("removing %s: %w", c.inside(name), err))
		return
	}
	c.emit("Removed " + c.inside(name))
}

// links is the number of names of a file: one with several is in use elsewhere,
// and overwriting it would damage what stays.
func links(info fs.FileInfo) uint64 {
	return uint64(info.Sys().(*syscall.Stat_t).Nlink)
}

// inside is the instance's own name of a file.
func (c *cleaner) inside(name string) string {
	return "/" + strings.TrimLeft(strings.TrimPrefix(name, c.root), "/")
}
