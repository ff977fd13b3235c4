package base

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
)

// writeRoot makes the disk file with the root file system in it.
func (b *builder) writeRoot(ctx context.Context, raw string, at extent, t tree) error {
	f, err := os.OpenFile(raw, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("making the disk: %w", err)
	}
	if err := errors.Join(f.Truncate(b.Size), f.Close()); err != nil {
		return fmt.Errorf("making the disk: %w", err)
	}
	if _, err := b.tool(ctx, "mkfs.ext4", b.mkfsArgs(raw, at, t.dir)...); err != nil {
		return err
	}
	return b.finishRoot(ctx, raw, at, t)
}

func (b *builder) mkfsArgs(raw string, at extent, dir string) []string {
	id := b.ids.rootFS.String()
	return []string{
		"-q", "-F", "-L", "root", "-U", id,
		"-E", fmt.Sprintf("offset=%d,hash_seed=%s,lazy_itable_init=0,root_owner=0:0", at.offset, id),
		"-d", dir, raw, fmt.Sprintf("%dk", at.length>>10),
	}
}

// finishRoot gives every file its owner, its extended attributes and the one
// time of the image: mkfs copies them from the tree, where they are those of
// this build.
func (b *builder) finishRoot(ctx context.Context, raw string, at extent, t tree) error {
	fs := fmt.Sprintf("%s?offset=%d", raw, at.offset)
	listing, err := b.tool(ctx, "dumpe2fs", fs)
	if err != nil {
		return err
	}
	inodes, err := usedInodes(listing)
	if err != nil {
		return err
	}
	var script bytes.Buffer
	if os.Geteuid() != 0 {
		for _, n := range inodes {
			fmt.Fprintf(&script, "sif <%d> uid 0\nsif <%d> gid 0\n", n, n)
		}
	}
	writeOwners(&script, t.owners)
	if err := b.writeXattrs(&script, t.xattrs); err != nil {
		return fmt.Errorf("finishing the root file system: %w", err)
	}
	for _, n := range inodes {
		for _, field := range []string{"atime", "ctime", "crtime"} {
			fmt.Fprintf(&script, "sif <%d> %s @%#x\nsif <%d> %s_extra 0\n", n, field, b.Date.Unix(), n, field)
		}
	}
	path := b.path("debugfs.cmd")
	if err := os.WriteFile(path, script.Bytes(), 0o600); err != nil {
		return fmt.Errorf("finishing the root file system: %w", err)
	}
	_, err = b.tool(ctx, "debugfs", "-w", "-f", path, fs)
	return err
}

// writeOwners sets the owners that are not root.
func writeOwners(w io.Writer, owners map[string]owner) {
	for _, path := range slices.Sorted(maps.Keys(owners)) {
		o := owners[path]
		fmt.Fprintf(w, "sif %q uid %d\nsif %q gid %d\n", path, o.uid, path, o.gid)
	}
}

// writeXattrs sets extended attributes, whose values debugfs reads from files.
func (b *builder) writeXattrs(w io.Writer, xattrs map[string]map[string][]byte) error {
	n := 0
	for _, path := range slices.Sorted(maps.Keys(xattrs)) {
		for _, name := range slices.Sorted(maps.Keys(xattrs[path])) {
			n++
			value := b.path(fmt.Sprintf("xattr-%d", n))
			if err := os.WriteFile(value, xattrs[path][name], 0o600); err != nil {
				return err
			}
			fmt.Fprintf(w, "ea_set -f %s %q %s\n", value, path, name)
		}
	}
	return nil
}

var (
	inodeCountLine  = regexp.MustCompile(`(?m)^Inode count: +(\d+)$`)
	freeInodesLine  = regexp.MustCompile(`(?m)^  Free inodes:(.*)$`)
	freeInodesRange = regexp.MustCompile(`(\d+)(?:-(\d+))?`)
)

// usedInodes reads the numbers of the inodes in use from what dumpe2fs prints,
// which lists the free ones.
func usedInodes(listing []byte) ([]int, error) {
	m := inodeCountLine.FindSubmatch(listing)
	if m == nil {
		return nil, fmt.Errorf("reading the output of dumpe2fs: it has no inode count")
	}
	count, err := strconv.Atoi(string(m[1]))
	if err != nil || count > 1<<24 {
		return nil, fmt.Errorf("reading the output of dumpe2fs: inode count %s", m[1])
	}
	free := make([]bool, count+1)
	for _, line := range freeInodesLine.FindAllSubmatch(listing, -1) {
		for _, r := range freeInodesRange.FindAllSubmatch(line[1], -1) {
			first, last := number(r[1]), number(r[2])
			if last == 0 {
				last = first
			}
			if first < 1 || last > count || first > last {
				return nil, fmt.Errorf("reading the output of dumpe2fs: free inodes %s of %d", r[0], count)
			}
			for i := first; i <= last; i++ {
				free[i] = true
			}
		}
	}
	var used []int
	for i := 1; i <= count; i++ {
		if !free[i] {
			used = append(used, i)
		}
	}
	return used, nil
}

// number is 0 for what is none or too long.
func number(digits []byte) int {
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		return 0
	}
	return n
}
