package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// reap removes what a killed shim left: by then the kernel has ended the guest
// and, with its last mount, the loop device.
func reap(ctx context.Context, tag, id, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	trees, err := findHierarchies("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	c := &cgroup{unified: filepath.Join(trees.unified, name(tag, id))}
	for _, tree := range trees.v1 {
		c.v1 = append(c.v1, filepath.Join(tree, name(tag, id)))
	}
	return errors.Join(
		c.remove(ctx),
		removeLink(linkName(tag, id)),
		removeTable(name(tag, id)),
		dropExposed(ctx, filepath.Join(dir, id, "disk.raw")))
}

// dropExposed removes the mount of a raw file whose daemon is gone or going.
func dropExposed(ctx context.Context, path string) error {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(path, &st)
		if err == nil && st.Type != unix.FUSE_SUPER_MAGIC {
			return nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("unmounting %s: %w", path, err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// strays are the ids of a tag that have something on the host.
func strays(tag string) ([]string, error) {
	trees, err := findHierarchies("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, tree := range append(slices.Collect(maps.Values(trees.v1)), trees.unified) {
		found, err := filepath.Glob(filepath.Join(tree, name(tag, "*")))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			ids = append(ids, strings.TrimPrefix(filepath.Base(f), name(tag, "")))
		}
	}
	tables, err := tablesOf(tag)
	ids = append(ids, tables...)
	slices.Sort(ids)
	return slices.Compact(ids), err
}
