package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	cachedSuffix = ".raw"
	// bootFile holds the id of the host's boot in which the cache was filled.
	// Cached disks are never synced: they survive the end of the process but
	// not, for certain, of the host. So each boot starts with an empty cache.
	bootFile = "boot-id"
)

// Materialise returns the path of the snapshot as a sparse raw disk in the
// cache, made if it is not there; callers that ask for the same one at the same
// time share the work. Nobody may write to it. It may vanish at any time after:
// whoever needs it for longer uses Overlay.
func (s *Store) Materialise(ctx context.Context, id SnapshotID) (path string, err error) {
	err = s.withCached(ctx, id, func(cached string) error {
		path = cached
		return nil
	})
	return path, err
}

// linkCached gives the cached disk of id a second name, which outlives the
// cache. Where the two are on different file systems it makes another copy.
func (s *Store) linkCached(ctx context.Context, id SnapshotID, path string) error {
	err := s.withCached(ctx, id, func(cached string) error {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return os.Link(cached, path)
	})
	if !errors.Is(err, unix.EXDEV) {
		return err
	}
	m, let, err := s.hold(id)
	if err != nil {
		return err
	}
	return errors.Join(s.restore(ctx, m, path), let())
}

// withCached calls use with the path of the cached disk of id, which stays
// there that long.
func (s *Store) withCached(ctx context.Context, id SnapshotID, use func(cached string) error) (err error) {
	path := s.cachedPath(id)
	unlock, err := s.names.lock(ctx, path)
	if err != nil {
		return err
	}
	defer unlock()
	// Delete unlinks the manifest before it comes for this lock to remove the
	// cached disk: what is cached below belongs to the manifest read here, even
	// if another snapshot gets the id.
	m, let, err := s.hold(id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, let()) }()
	if err := s.fillCache(ctx, m, path); err != nil {
		return fmt.Errorf("materialising %s: %w", id, err)
	}
	return use(path)
}

// fillCache makes the cached disk at path if it is not there.
func (s *Store) fillCache(ctx context.Context, m manifest, path string) error {
	// The time of last use is what evict goes by.
	now := time.Now()
	if err := os.Chtimes(path, now, now); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(s.cacheDir, 0o750); err != nil {
		return err
	}
	if err := s.evict(s.MaxCached - 1); err != nil {
		return err
	}
	return s.restore(ctx, m, path)
}

// restore writes a snapshot's disk to path, whole or not at all.
func (s *Store) restore(ctx context.Context, m manifest, path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*")
	if err != nil {
		return noSpace(path, err)
	}
	defer os.Remove(f.Name()) // gone already after the rename
	err = s.writeRaw(ctx, m, f)
	if err == nil {
		err = f.Chmod(0o440) // a backing file is written by nobody
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	return noSpace(path, err)
}

// writeRaw fills an empty file with a snapshot's disk, leaving holes for zeros.
func (s *Store) writeRaw(ctx context.Context, m manifest, f *os.File) error {
	if err := f.Truncate(m.Size); err != nil {
		return err
	}
	return eachBlock(ctx, len(m.blocks), func(i int, buf []byte) error {
		if _, err := s.readBlock(m.ID, m.blocks[i], buf); err != nil {
			return err
		}
		at := int64(m.blocks[i].index) * BlockSize
		_, err := f.WriteAt(buf[:min(BlockSize, m.Size-at)], at)
		return err
	})
}

// evict removes cached disks, the least recently used first, until keep are
// left. One that is being made or linked at the moment stays.
func (s *Store) evict(keep int) error {
	type cached struct {
		path string
		used time.Time
	}
	var all []cached
	entries, err := os.ReadDir(s.cacheDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), cachedSuffix) {
			all = append(all, cached{filepath.Join(s.cacheDir, e.Name()), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b cached) int { return a.used.Compare(b.used) })
	for _, c := range all[:max(0, len(all)-keep)] {
		unlock, ok := s.names.try(c.path)
		if !ok {
			continue
		}
		err := os.Remove(c.path)
		unlock()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// dropCached removes the cached disk of a deleted snapshot.
func (s *Store) dropCached(ctx context.Context, id SnapshotID) error {
	path := s.cachedPath(id)
	unlock, err := s.names.lock(ctx, path)
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// openCache removes whatever is not a complete disk of a snapshot of this
// store, made in this boot of the host.
func (s *Store) openCache() error {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	mark := filepath.Join(s.cacheDir, bootFile)
	filled, err := os.ReadFile(mark)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	names, err := readNames(s.cacheDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if string(filled) == string(boot) && (name == bootFile || s.isCached(name)) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.cacheDir, name)); err != nil {
			return err
		}
	}
	return os.WriteFile(mark, boot, 0o640)
}

// isCached says whether a file name in the cache is that of a snapshot's disk.
func (s *Store) isCached(name string) bool {
	id, ok := strings.CutSuffix(name, cachedSuffix)
	if !ok {
		return false
	}
	_, err := s.readManifest(SnapshotID(id))
	return err == nil
}

func (s *Store) cachedPath(id SnapshotID) string {
	return filepath.Join(s.cacheDir, string(id)+cachedSuffix)
}
