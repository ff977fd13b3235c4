package base

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tree is a root file system on disk. Its files belong to whoever runs the
// bootstrap; who they belong to in the image, and their extended attributes,
// are kept here, for root may not be at hand.
type tree struct {
	dir    string
	owners map[string]owner             // by absolute path in the image; without an entry root's
	xattrs map[string]map[string][]byte // by path, then by name
}

type owner struct{ uid, gid int }

// maxTree bounds what a bootstrap may unpack, in bytes.
const maxTree = 16 << 30

// unpack writes the tar in r to the new directory dir. Device nodes are left
// out: every system that will run the image has a /dev of its own. No entry
// can lead out of dir.
func unpack(r io.Reader, dir string) (_ tree, err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return tree{}, fmt.Errorf("unpacking the root file system: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return tree{}, fmt.Errorf("unpacking the root file system: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	u := unpacker{
		tree:  tree{dir: dir, owners: map[string]owner{}, xattrs: map[string]map[string][]byte{}},
		root:  root,
		left:  maxTree,
		times: map[string]time.Time{},
		modes: map[string]fs.FileMode{},
	}
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return u.tree, u.finish()
		}
		if err == nil {
			err = u.entry(h, tr)
		}
		if err != nil {
			return tree{}, fmt.Errorf("unpacking the root file system: %w", err)
		}
	}
}

type unpacker struct {
	tree
	root  *os.Root
	left  int64                  // bytes
	times map[string]time.Time   // of directories, set when their entries are there
	modes map[string]fs.FileMode // of directories, likewise
}

func (u *unpacker) entry(h *tar.Header, r io.Reader) error {
	name := path.Clean(strings.TrimPrefix(h.Name, "/"))
	mode := h.FileInfo().Mode()
	var err error
	switch h.Typeflag {
	case tar.TypeDir:
		if name != "." {
			err = u.root.Mkdir(name, 0o700)
		}
		u.modes[name], u.times[name] = mode, h.ModTime
	case tar.TypeReg:
		err = u.file(name, h.Size, r)
	case tar.TypeSymlink:
		err = u.root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return u.root.Link(path.Clean(strings.TrimPrefix(h.Linkname, "/")), name)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return nil
	default:
		return fmt.Errorf("%s: entries of type %q are not known", h.Name, h.Typeflag)
	}
	if err != nil {
		return err
	}
	u.remember(name, h)
	if h.Typeflag == tar.TypeReg {
		if err := u.root.Chmod(name, mode.Perm()|mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)); err != nil {
			return err
		}
	}
	if h.Typeflag != tar.TypeDir {
		return u.setTime(name, h.ModTime)
	}
	return nil
}

func (u *unpacker) remember(name string, h *tar.Header) {
	abs := path.Join("/", name)
	if h.Uid != 0 || h.Gid != 0 {
		u.owners[abs] = owner{h.Uid, h.Gid}
	}
	for key, value := range h.PAXRecords {
		attr, ok := strings.CutPrefix(key, "SCHILY.xattr.")
		if !ok {
			continue
		}
		if u.xattrs[abs] == nil {
			u.xattrs[abs] = map[string][]byte{}
		}
		u.xattrs[abs][attr] = []byte(value)
	}
}

func (u *unpacker) file(name string, size int64, r io.Reader) error {
	if u.left -= size; u.left < 0 {
		return fmt.Errorf("the root file system has more than %d bytes", int64(maxTree))
	}
	f, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// setTime does not follow symbolic links, which os.Root.Chtimes would.
func (u *unpacker) setTime(name string, t time.Time) error {
	ts := unix.NsecToTimespec(t.UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(u.dir, name), []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

// finish sets what writing to a directory would have changed or forbidden, the
// deepest directories first.
func (u *unpacker) finish() error {
	names := slices.Sorted(maps.Keys(u.modes))
	slices.Reverse(names)
	for _, name := range names {
		mode := u.modes[name]
		err := u.root.Chmod(name, mode.Perm()|mode&(fs.ModeSetgid|fs.ModeSticky))
		if err := errors.Join(err, u.setTime(name, u.times[name])); err != nil {
			return fmt.Errorf("unpacking the root file system: %w", err)
		}
	}
	return nil
}

func unixTime(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
