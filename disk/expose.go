package disk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Exposed is a qcow2 file shown as a raw one. It ends with Close, or with the
// process that made it.
type Exposed struct {
	Path string // of the raw file: its size is the volume's, writes go to the overlay

	daemon  *os.Process
	stderr  bytes.Buffer  // of the daemon; to be read after ended
	ended   chan struct{} // closed when the daemon is gone
	waitErr error         // how it went; to be read after ended
}

// Expose shows a qcow2 overlay at mountpoint as a raw file that can be written
// to and punched, through qemu-storage-daemon and FUSE. mountpoint is a path in
// an existing folder; a file of that name, as a killed daemon leaves it, is
// replaced. Nobody else may have the overlay open for writing.
//
// Writes reach the page cache, not the disk: an instance's disk need not
// survive the host, its snapshot does.
func Expose(ctx context.Context, overlay, mountpoint string) (*Exposed, error) {
	overlay, err := filepath.Abs(overlay)
	if err != nil {
		return nil, err
	}
	if mountpoint, err = filepath.Abs(mountpoint); err != nil {
		return nil, err
	}
	e := &Exposed{Path: mountpoint, ended: make(chan struct{})}
	if err := e.start(overlay); err != nil {
		return nil, fmt.Errorf("exposing %s: %w", overlay, err)
	}
	if err := e.waitMounted(ctx); err != nil {
		return nil, fmt.Errorf("exposing %s: %w", overlay, errors.Join(err, e.kill()))
	}
	return e, nil
}

// Close flushes, takes the file away and ends the daemon. While something has
// the file open, a loop device for instance, it waits, and fails when ctx ends;
// then everything is still there and Close may be called again.
func (e *Exposed) Close(ctx context.Context) error {
	if err := e.unmount(ctx); err != nil {
		return fmt.Errorf("closing %s: %w", e.Path, err)
	}
	if err := e.daemon.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("closing %s: %w", e.Path, err)
	}
	select {
	case <-e.ended:
	case <-ctx.Done():
		return fmt.Errorf("closing %s: waiting for qemu-storage-daemon: %w", e.Path, ctx.Err())
	}
	return errors.Join(e.failure(), os.Remove(e.Path))
}

// Unexpose takes away what is left of an exposed file whose daemon was killed
// with SIGKILL: the mount and the file. One that is not there is no error.
func Unexpose(mountpoint string) error {
	// A file that nothing is mounted on is EINVAL, and so none of our business.
	err := unix.Unmount(mountpoint, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("unmounting %s: %w", mountpoint, err)
	}
	st, err := os.Lstat(mountpoint)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() || st.Size() > 0 {
		return fmt.Errorf("%s is no mount point of an exposed file: those are empty files", mountpoint)
	}
	return os.Remove(mountpoint)
}

// start runs the daemon.
func (e *Exposed) start(overlay string) error {
	if err := Unexpose(e.Path); err != nil {
		return err
	}
	f, err := os.OpenFile(e.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	args, err := exposeArgs(overlay, e.Path)
	if err != nil {
		return err
	}
	cmd := exec.Command("qemu-storage-daemon", args...)
	cmd.Stderr = &e.stderr
	// SIGTERM, not SIGKILL: the daemon flushes and unmounts before it goes.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	go func() {
		// The signal comes when the thread that forked ends, so the thread stays until the daemon is gone.
		runtime.LockOSThread()
		err := cmd.Start()
		e.daemon = cmd.Process
		started <- err
		if err == nil {
			e.waitErr = cmd.Wait()
			close(e.ended)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting qemu-storage-daemon: %w", errors.Join(err, os.Remove(e.Path)))
	}
	return nil
}

// exposeArgs is the daemon's command line. The options are JSON because a
// comma in a path would end the other form.
func exposeArgs(overlay, mountpoint string) ([]string, error) {
	cache := map[string]bool{"direct": false, "no-flush": true}
	node, err := json.Marshal(map[string]any{
		"driver": "qcow2", "node-name": "disk", "discard": "unmap", "cache": cache,
		"file": map[string]any{"driver": "file", "filename": overlay, "discard": "unmap", "cache": cache},
	})
	if err != nil {
		return nil, err
	}
	export, err := json.Marshal(map[string]any{
		"type": "fuse", "id": "export", "node-name": "disk", "mountpoint": mountpoint, "writable": true,
	})
	return []string{"--blockdev", string(node), "--export", string(export)}, err
}

// waitMounted waits until the daemon's file system lies over the mount point.
func (e *Exposed) waitMounted(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		mounted, err := isFUSE(e.Path)
		if err != nil || mounted {
			return err
		}
		select {
		case <-e.ended:
			return errors.Join(errors.New("qemu-storage-daemon ended at once"), e.failure())
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func isFUSE(path string) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return false, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return st.Type == unix.FUSE_SUPER_MAGIC, nil
}

// unmount waits until nothing uses the file. Without the right to unmount it
// leaves that to the daemon.
func (e *Exposed) unmount(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		err := unix.Unmount(e.Path, unix.UMOUNT_NOFOLLOW)
		if !errors.Is(err, unix.EBUSY) {
			if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
				return nil // not mounted any more, or not root
			}
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("it is still in use; detach its loop device first: %w", ctx.Err())
		}
	}
}

// kill ends a daemon that is of no use.
func (e *Exposed) kill() error {
	err := e.daemon.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-e.ended
	return errors.Join(err, Unexpose(e.Path))
}

// failure is how the daemon ended, nil if well.
func (e *Exposed) failure() error {
	if e.waitErr == nil {
		return nil
	}
	return fmt.Errorf("qemu-storage-daemon: %w: %s", e.waitErr, firstLine(strings.TrimSpace(e.stderr.String()), e.waitErr))
}
