package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot/disk"
)

// rootDisk is an instance's mounted root partition: the qcow2 overlay shown as
// a raw file, a loop device over the partition, and a mount that hangs nowhere.
type rootDisk struct {
	exposed *disk.Exposed
	loop    string // path of the loop device
	mount   int    // descriptor of the detached mount, with the ids of the disk
}

// fileSystem is how the kernel mounts one.
type fileSystem struct {
	driver  string
	options []string
}

// The file systems that can be a root: their mounts can be idmapped. With
// discard, what the guest deletes is not in the snapshot.
var mountable = map[string]fileSystem{
	"ext2":  {"ext4", []string{"discard"}},
	"ext3":  {"ext4", []string{"discard"}},
	"ext4":  {"ext4", []string{"discard"}},
	"xfs":   {"xfs", []string{"discard", "nouuid"}}, // another instance may have the same image mounted
	"btrfs": {"btrfs", []string{"discard"}},
}

// openDisk mounts the root partition of overlay. dir is for the raw file.
func openDisk(ctx context.Context, overlay, dir string) (_ *rootDisk, err error) {
	d := &rootDisk{mount: -1}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close(context.WithoutCancel(ctx)))
		}
	}()
	if d.exposed, err = disk.Expose(ctx, overlay, filepath.Join(dir, "disk.raw")); err != nil {
		return nil, err
	}
	layout, err := disk.Inspect(d.exposed.Path)
	if err != nil {
		return nil, err
	}
	if layout.Root < 0 {
		return nil, fmt.Errorf("%s has no root partition that is known as one", overlay)
	}
	part := layout.Partitions[layout.Root]
	fs, ok := mountable[part.FileSystem]
	if !ok {
		return nil, fmt.Errorf("the root partition of %s is %q: a container needs ext2 to ext4, xfs or btrfs; use a virtual machine", overlay, part.FileSystem)
	}
	loop, err := attachLoop(d.exposed.Path, part.Offset, part.Size)
	if err != nil {
		return nil, err
	}
	defer loop.Close() // the mount holds it from here on; it clears itself after
	d.loop = loop.Name()
	if d.mount, err = mountDetached(fs, d.loop); err != nil {
		return nil, err
	}
	return d, nil
}

// attachLoop shows a part of a file as a block device that clears itself when
// nobody has it open any more, kill -9 included.
func attachLoop(path string, offset, size int64) (*os.File, error) {
	backing, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer backing.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	cfg := unix.LoopConfig{Fd: uint32(backing.Fd())}
	cfg.Info.Offset, cfg.Info.Sizelimit = uint64(offset), uint64(size)
	cfg.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
	copy(cfg.Info.File_name[:], path)
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("finding a free loop device: %w", err)
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return nil, fmt.Errorf("opening loop device %d: %w", n, err)
		}
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &cfg)
		if err == nil {
			return loop, nil
		}
		loop.Close()
		if !errors.Is(err, unix.EBUSY) { // somebody else was quicker
			return nil, fmt.Errorf("attaching %s to %s: %w", path, loop.Name(), err)
		}
	}
}

// mountDetached mounts a block device nowhere. Device nodes in the image have
// no power, and reading leaves no trace.
func mountDetached(kind fileSystem, source string) (int, error) {
	fs, err := unix.Fsopen(kind.driver, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("opening file system %s: %w", kind.driver, err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigSetString(fs, "source", source); err != nil {
		return -1, fmt.Errorf("mounting %s: %w", source, fsError(fs, err))
	}
	for _, o := range kind.options {
		if err := unix.FsconfigSetFlag(fs, o); err != nil {
			return -1, fmt.Errorf("mounting %s with %s: %w", source, o, fsError(fs, err))
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("mounting %s: %w", source, fsError(fs, err))
	}
	m, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOATIME)
	if err != nil {
		return -1, fmt.Errorf("mounting %s: %w", source, err)
	}
	return m, nil
}

// fsError adds what the file system says about the failure.
func fsError(fs int, err error) error {
	buf := make([]byte, 1024)
	n, rerr := unix.Read(fs, buf)
	if rerr != nil || n <= 0 {
		return err
	}
	return fmt.Errorf("%w: %s", err, buf[:n])
}

// idmapped returns a copy of a mount in which the ids are those of a user
// namespace: root of the guest owns root's files on the disk.
func idmapped(mount, userns int) (int, error) {
	m, err := unix.OpenTree(mount, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return -1, fmt.Errorf("copying the mount: %w", err)
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userns)}
	if err := unix.MountSetattr(m, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		unix.Close(m)
		return -1, fmt.Errorf("mapping the ids of the mount: %w", err)
	}
	return m, nil
}

// close flushes, unmounts and takes everything away; the overlay is whole then.
func (d *rootDisk) close(ctx context.Context) error {
	var errs []error
	if d.mount >= 0 {
		errs = append(errs, syncMount(d.mount), unix.Close(d.mount))
		d.mount = -1
	}
	if d.loop != "" {
		errs = append(errs, waitCleared(ctx, d.loop, d.exposed.Path))
	}
	if d.exposed != nil {
		errs = append(errs, d.exposed.Close(ctx))
	}
	return errors.Join(errs...)
}

// syncMount writes a file system back; unlike unmounting, it tells of errors.
// The descriptor of a mount is a path only and has to be opened.
func syncMount(mount int) error {
	root, err := unix.Openat(mount, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening the mount: %w", err)
	}
	if err := unix.Syncfs(root); err != nil {
		return errors.Join(fmt.Errorf("flushing the disk: %w", err), unix.Close(root))
	}
	return unix.Close(root)
}

// waitCleared waits until the loop device has let go of the file: a mount
// namespace that ends drops its mounts a moment later.
func waitCleared(ctx context.Context, loop, path string) error {
	for {
		held, err := loopHolds(loop, path)
		if err != nil || !held {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s lets go of %s: %w", loop, path, context.Cause(ctx))
		}
	}
}

func loopHolds(loop, path string) (bool, error) {
	text, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(loop), "loop/backing_file"))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
		return false, nil
	}
	return string(text) == path+"\n", err
}
