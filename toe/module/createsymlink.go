package module

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

var createSymlink = Module{
	Name:        "CreateSymlink",
	Description: "Creates symbolic links.",
	Platforms:   notWindows,
	List:        true,
	Inputs: []Input{
		pathInput("The link; missing folders above it are created."),
		{Name: "target", Type: String, Required: true, Check: notEmpty, Description: "What the link points to; it must exist. A relative one starts at the folder of the link."},
		{Name: "force", Type: Boolean, Default: "false", Description: "Whether an existing link is replaced; a file or folder never is."},
	},
	Run: each(func(_ context.Context, c *Call, in Values) error {
		path, target := c.Path(in.String("path")), in.String("target")
		replaces, err := mayLink(path, in.Bool("force", false))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := checkTarget(path, target); err != nil {
			return err
		}
		if !replaces {
			return os.Symlink(target, path)
		}
		return replaceLink(path, target)
	}),
}

// mayLink reports whether a link is to be replaced, and refuses to replace
// anything else.
func mayLink(path string, force bool) (replaces bool, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.Mode().Type() != fs.ModeSymlink {
		return false, fmt.Errorf("%s exists and is not a link", path)
	}
	if !force {
		return false, fmt.Errorf("the link %s already exists; set force to replace it", path)
	}
	return true, nil
}

// checkTarget wants a target that exists and is not the link itself.
func checkTarget(path, target string) error {
	if !filepath.IsAbs(target) {
		target = filepath.Dir(path) + string(filepath.Separator) + target
	}
	if _, err := os.Stat(target); err != nil {
		return fmt.Errorf("looking for the target of %s: %w", path, err)
	}
	at, err := os.Lstat(target)
	if err != nil {
		return err
	}
	if link, err := os.Lstat(path); err == nil && os.SameFile(at, link) {
		return fmt.Errorf("the link %s would point to itself", path)
	}
	return nil
}

// replaceLink leaves no moment without a link: others may need it to run.
func replaceLink(path, target string) error {
	staged := filepath.Join(filepath.Dir(path), stagingName())
	if err := os.Symlink(target, staged); err != nil {
		return err
	}
	if err := os.Rename(staged, path); err != nil {
		return errors.Join(err, os.Remove(staged))
	}
	return nil
}
