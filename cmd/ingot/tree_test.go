package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot/disk"
)

// treeOf is what is in the root file system of an image: for each path its
// mode, owner, content and attributes. Times are left out, and where on the
// disk a file is: two builds of the same differ in these.
func (p *process) treeOf(image string) map[string]string {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "image.raw")
	p.command("image", "export", image, file, "--format", "raw")
	layout, err := disk.Inspect(file)
	if err != nil {
		p.t.Fatal(err)
	}
	root := layout.Partitions[layout.Root]
	dir := p.t.TempDir()
	options := fmt.Sprintf("ro,noload,loop,offset=%d,sizelimit=%d", root.Offset, root.Size)
	if out, err := exec.Command("mount", "-o", options, file, dir).CombinedOutput(); err != nil {
		p.t.Fatalf("mounting %s: %v: %s", file, err, out)
	}
	defer func() {
		if err := unix.Unmount(dir, 0); err != nil {
			p.t.Errorf("unmounting %s: %v", file, err)
		}
		if err := os.Remove(file); err != nil {
			p.t.Error(err)
		}
	}()
	return readTree(p.t, dir)
}

func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s := info.Sys().(*syscall.Stat_t)
		entry := fmt.Sprintf("%s %d:%d %d", info.Mode(), s.Uid, s.Gid, s.Rdev)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			entry += " -> " + to
		case info.Mode().IsRegular():
			sum, err := sumOf(path)
			if err != nil {
				return err
			}
			entry += " " + sum
		}
		attributes, err := attributesOf(path)
		if err != nil {
			return err
		}
		tree[strings.TrimPrefix(path, dir)] = entry + attributes
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return fmt.Sprintf("%x", h.Sum(nil)), err
}

// attributesOf are the extended attributes of a file, not of what it points to.
func attributesOf(path string) (string, error) {
	names := make([]byte, 4096)
	n, err := unix.Llistxattr(path, names)
	if err != nil {
		return "", fmt.Errorf("listing the attributes of %s: %w", path, err)
	}
	text := ""
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		if name == "" {
			continue
		}
		value := make([]byte, 4096)
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return "", fmt.Errorf("reading the attribute %s of %s: %w", name, path, err)
		}
		text += fmt.Sprintf(" %s=%x", name, value[:n])
	}
	return text, nil
}
