package toe

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// replaceFile replaces a file in one move, so that a reader sees the old or
// the new one, also after a crash of this process. It does not sync: a log
// that a power failure sets back by a moment does no harm.
func replaceFile(path string, write func(*bufio.Writer) error) error {
	return replaceBy(os.Rename, path, write)
}

// swapFile is replaceFile for a file that is replaced over and over: it leaves
// the old content beside the file, to be written over the next time. That
// saves making a file each time and, on ext4, waiting for the disk, which a
// rename over another file starts. replaceFile takes what it left.
func swapFile(path string, write func(*bufio.Writer) error) error {
	return replaceBy(func(fresh, path string) error {
		if exchange(fresh, path) == nil {
			return nil
		}
		return os.Rename(fresh, path) // the first time, and where files cannot change places
	}, path, write)
}

func replaceBy(move func(fresh, path string) error, path string, write func(*bufio.Writer) error) error {
	fresh := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = truncateHere(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return move(fresh, path)
}

// truncateHere drops what is behind the last byte written. To truncate first
// would make ext4 write the file to the disk when it is closed.
func truncateHere(f *os.File) error {
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	return f.Truncate(size)
}
