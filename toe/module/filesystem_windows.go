package module

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// nonBlocking is a flag for opening files: named pipes are not among them here.
const nonBlocking = 0

// crossesDevices reports a rename that only a copy can replace.
func crossesDevices(err error) bool { return errors.Is(err, windows.ERROR_NOT_SAME_DEVICE) }

// keepOwner leaves a file with the owner that its new folder gives it, as a
// copy in Explorer does.
func keepOwner(place, fs.FileInfo) error { return nil }

// isSparse is for holes, which copies do not keep here.
func isSparse(fs.FileInfo) bool { return false }

// nextData takes all of a file for data.
func nextData(_ *os.File, offset, size int64) (start, end int64, err error) {
	return offset, size, nil
}
