//go:build unix

package module

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// nonBlocking is a flag for opening files: a named pipe must not make a step
// wait for its other end.
const nonBlocking = unix.O_NONBLOCK

// crossesDevices reports a rename that only a copy can replace.
func crossesDevices(err error) bool { return errors.Is(err, unix.EXDEV) }

// keepOwner gives a file, folder or link the owner and group of another.
func keepOwner(p place, from fs.FileInfo) error {
	stat, ok := from.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return p.dir.Lchown(p.name, int(stat.Uid), int(stat.Gid))
}

// isSparse reports a file that takes less room than its size says.
func isSparse(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Blocks*512 < stat.Size
}

// nextData finds the first range with data at or after an offset; start is the
// end of the file when none follows.
func nextData(f *os.File, offset, size int64) (start, end int64, err error) {
	start, err = f.Seek(offset, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, size, nil
	}
	if err != nil {
		return 0, 0, err
	}
	end, err = f.Seek(start, unix.SEEK_HOLE)
	return start, end, err
}
