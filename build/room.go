package build

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// minRoom is the free space, in bytes, below which steps end: a guest that
	// went on would take what the records and the clean-up of its end need. It
	// is more than a guest writes between two looks.
	minRoom   = 256 << 20
	roomEvery = 100 * time.Millisecond
)

// fullError ends the steps in progress when the disk is nearly full.
type fullError struct {
	dir  string
	free int64 // bytes
}

func (e *fullError) Error() string {
	return fmt.Sprintf("no space left on device: the file system of %s has %d MiB free, and a build leaves %d MiB for others; delete images or give it more room, then repeat",
		e.dir, e.free>>20, minRoom>>20)
}

// whileRoom is ctx until dir's file system is nearly full; its cause is a
// *fullError or what went wrong with looking.
func whileRoom(ctx context.Context, dir string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if err := checkRoom(dir); err != nil {
		cancel(err)
	}
	go func() {
		for sleep(ctx, roomEvery) == nil {
			if err := checkRoom(dir); err != nil {
				cancel(err)
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

func checkRoom(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("looking for room in %s: %w", dir, err)
	}
	if free := int64(fs.Bavail) * fs.Bsize; free < minRoom {
		return &fullError{dir, free}
	}
	return nil
}
