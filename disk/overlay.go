package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"ingot.dev/ingot"
)

// baseSuffix names an overlay's backing file, which lies beside it: a hard link
// to the cached disk, so that the cache may forget the disk while the instance
// lives.
const baseSuffix = ".base"

// Overlay makes the disk of an instance: a qcow2 file at path that shows the
// snapshot and takes the writes, and path+".base" under it. sizeBytes is the
// size of the volume, 0 for the snapshot's own; a smaller one is CodeInvalid.
// An overlay that is there already is kept as it is. RemoveOverlay removes both
// files, as does removing their folder.
func (s *Store) Overlay(ctx context.Context, id SnapshotID, path string, sizeBytes int64) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	snap, err := s.Find(id)
	if err != nil {
		return err
	}
	size, err := volumeSize(snap, sizeBytes)
	if err != nil {
		return err
	}
	if err := s.linkCached(ctx, id, path+baseSuffix); err != nil {
		return fmt.Errorf("making overlay %s: %w", path, err)
	}
	if err := createOverlay(ctx, path, size); err != nil {
		return errors.Join(fmt.Errorf("making overlay %s: %w", path, err), RemoveOverlay(path))
	}
	return nil
}

// RemoveOverlay removes an overlay and its backing file. One that is not there
// is no error.
func RemoveOverlay(path string) error {
	var errs []error
	for _, p := range []string{path, path + baseSuffix, path + newSuffix} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func volumeSize(snap Snapshot, want int64) (int64, error) {
	switch {
	case want == 0:
		return snap.SizeBytes, nil
	case want < snap.SizeBytes || want > MaxSize:
		return 0, ingot.Errorf(ingot.CodeInvalid, "a volume of %d bytes for snapshot %s: it must have from %d to %d",
			want, snap.ID, snap.SizeBytes, int64(MaxSize))
	}
	return want, nil
}

// newSuffix names an overlay that is not finished. The name is always the same,
// so the next attempt overwrites what a killed one left.
const newSuffix = ".new"

func createOverlay(ctx context.Context, path string, size int64) error {
	tmp := path + newSuffix
	_, err := qemuImg(ctx, path, "create", "-q", "-f", "qcow2", "-o", "cluster_size=64k",
		"-b", path+baseSuffix, "-F", "raw", tmp, strconv.FormatInt(size, 10))
	if err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// Snapshot stores the disk of a stopped instance: overlay is the qcow2 file
// that Overlay made from parent. Only what the overlay holds is read, and of
// that only what differs from the parent is stored; discarded ranges become
// zeros. A snapshot of that id is returned as it is, so a step may be repeated;
// one with another parent is CodeExists. An overlay that is still in use is an error.
func (s *Store) Snapshot(ctx context.Context, id, parent SnapshotID, overlay string) (Snapshot, error) {
	return s.create(ctx, id, parent, func(base manifest) (source, func() error, error) {
		return openOverlay(ctx, s, base, overlay)
	})
}

// create stores a snapshot unless it exists. open is called with the parent's
// manifest; the source it returns is closed by the function it returns.
func (s *Store) create(ctx context.Context, id, parent SnapshotID, open func(manifest) (source, func() error, error)) (snap Snapshot, err error) {
	unlock, err := s.names.lock(ctx, string(id))
	if err != nil {
		return Snapshot{}, err
	}
	defer unlock()
	snap, err = s.Find(id)
	if err == nil && snap.Parent != parent {
		return Snapshot{}, ingot.Errorf(ingot.CodeExists, "snapshot %s exists and was made from %q, not %q", id, snap.Parent, parent)
	}
	if ingot.ErrorCode(err) != ingot.CodeNotFound {
		return snap, err
	}
	base, let, err := s.hold(parent)
	if err != nil {
		return Snapshot{}, err
	}
	defer func() { err = errors.Join(err, let()) }()
	src, closeSrc, err := open(base)
	if err != nil {
		return Snapshot{}, fmt.Errorf("storing %s: %w", id, err)
	}
	defer func() { err = errors.Join(err, closeSrc()) }()
	return s.store(ctx, id, base, src)
}

// openOverlay makes a source of what an overlay changed over base.
func openOverlay(ctx context.Context, s *Store, base manifest, path string) (source, func() error, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return source{}, nil, err
	}
	extents, size, err := mapOverlay(ctx, path)
	if err != nil {
		return source{}, nil, err
	}
	if size < base.Size {
		return source{}, nil, fmt.Errorf("%s has %d bytes, less than the %d of its parent %s", path, size, base.Size, base.ID)
	}
	f, err := os.Open(path)
	if err != nil {
		return source{}, nil, err
	}
	o := overlay{store: s, base: base, file: f, extents: extents}
	return source{size: size, blocks: touched(extents), read: o.read}, f.Close, nil
}

// touched lists the blocks in which the extents lie, in ascending order.
func touched(extents []extent) []uint32 {
	var blocks []uint32
	next := int64(0)
	for _, e := range extents {
		for i := max(next, e.Start/BlockSize); i < blockCount(e.Start+e.Length); i++ {
			blocks = append(blocks, uint32(i))
			next = i + 1
		}
	}
	return blocks
}

// overlay reads blocks of an instance's disk: the extents of the overlay's file
// over the blocks of the parent.
type overlay struct {
	store   *Store
	base    manifest
	file    io.ReaderAt
	extents []extent // ascending
}

func (o overlay) read(index uint32, buf []byte) error {
	start, end := int64(index)*BlockSize, (int64(index)+1)*BlockSize
	first, _ := slices.BinarySearchFunc(o.extents, start, func(e extent, at int64) int {
		if e.Start+e.Length <= at {
			return -1
		}
		return 1
	})
	if e := o.extents[first]; e.Start > start || e.Start+e.Length < end {
		if err := o.readBase(index, buf); err != nil {
			return err
		}
	}
	for _, e := range o.extents[first:] {
		from, to := max(start, e.Start), min(end, e.Start+e.Length)
		if from >= to {
			break
		}
		part := buf[from-start : to-start]
		if !e.Data {
			clear(part)
			continue
		}
		if _, err := o.file.ReadAt(part, *e.Offset+from-e.Start); err != nil {
			return fmt.Errorf("reading the overlay at %d: %w", from, err)
		}
	}
	return nil
}

// readBase fills buf with the parent's block, zeros where it has none.
func (o overlay) readBase(index uint32, buf []byte) error {
	i, ok := slices.BinarySearchFunc(o.base.blocks, index, func(b block, at uint32) int {
		return int(int64(b.index) - int64(at))
	})
	if !ok {
		clear(buf)
		return nil
	}
	return o.store.readBlock(o.base.ID, o.base.blocks[i], buf)
}
