package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot"
)

// writeFile makes a file whole or not at all: write fills a temporary file,
// which is on stable storage before it gets its name. The caller makes the
// name durable with syncDir.
func (s *Store) writeFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(s.tmpDir(), filepath.Base(path)+"-*")
	if err != nil {
		return noSpace(path, fmt.Errorf("writing %s: %w", path, err))
	}
	defer os.Remove(f.Name()) // gone already after the rename
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return noSpace(path, fmt.Errorf("writing %s: %w", path, err))
	}
	return nil
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// readNames lists a folder without sorting and without a stat of each entry.
func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// noSpace turns "no space left" into an error that says where and how much
// there is; other errors pass. path need not exist, its folder must.
func noSpace(path string, err error) error {
	full := errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
	if !full || ingot.ErrorCode(err) == ingot.CodeUnavailable { // it was told already
		return err
	}
	return ingot.Errorf(ingot.CodeUnavailable,
		"%w: the file system of %s has %d MiB free; delete images or give it more room, then repeat",
		err, filepath.Dir(path), freeBytes(path)>>20)
}

// freeBytes is what an ordinary user may still write to the file system of
// path, whose folder must exist. If it cannot be told there is no lack of it.
func freeBytes(path string) uint64 {
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &st); err != nil {
		return math.MaxUint64
	}
	return st.Bavail * uint64(st.Bsize)
}

// keyed is a set of locks by name, made on demand.
type keyed struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the holder is done
}

// lock waits until nobody else holds name.
func (k *keyed) lock(ctx context.Context, name string) (unlock func(), err error) {
	for {
		unlock, held := k.take(name)
		if held == nil {
			return unlock, nil
		}
		select {
		case <-held:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for %s: %w", name, ctx.Err())
		}
	}
}

// try takes the lock if nobody holds it.
func (k *keyed) try(name string) (unlock func(), ok bool) {
	unlock, held := k.take(name)
	return unlock, held == nil
}

// take takes the lock, or returns a channel that is closed when its holder is done.
func (k *keyed) take(name string) (unlock func(), held <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if held, busy := k.held[name]; busy {
		return nil, held
	}
	if k.held == nil {
		k.held = map[string]chan struct{}{}
	}
	done := make(chan struct{})
	k.held[name] = done
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.held, name)
		close(done)
	}, nil
}
