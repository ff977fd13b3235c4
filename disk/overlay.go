package disk

import (
	"cmp"
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
// zeros. If the parent was deleted since, the whole disk is read. A snapshot of
// that id is returned as it is, so a step may be repeated; one with another
// parent is CodeExists. An overlay that is still in use is an error.
func (s *Store) Snapshot(ctx context.Context, id, parent SnapshotID, overlay string) (Snapshot, error) {
	if _, err := ParseSnapshotID(string(parent)); err != nil {
		return Snapshot{}, fmt.Errorf("storing %s: its parent: %w", id, err)
	}
	return s.create(ctx, id, parent, func() (source, error) { return s.openOverlay(ctx, parent, overlay) })
}

// openOverlay makes a source of an instance's disk: its overlay over its parent.
func (s *Store) openOverlay(ctx context.Context, parent SnapshotID, path string) (source, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return source{}, err
	}
	extents, size, err := mapOverlay(ctx, path)
	if err != nil {
		return source{}, err
	}
	file, err := os.Open(path)
	if err != nil {
		return source{}, err
	}
	below, err := s.openParent(parent, path+baseSuffix)
	if err != nil {
		return source{}, errors.Join(err, file.Close())
	}
	src := source{
		base: below.base, size: size, blocks: union(below.blocks, touched(extents)),
		read:  overlay{file: file, extents: extents, below: below.read}.read,
		close: func() error { return errors.Join(file.Close(), below.close()) },
	}
	if size < below.size {
		return source{}, errors.Join(fmt.Errorf("%s has %d bytes, less than the %d of its parent %s", path, size, below.size, parent), src.close())
	}
	return src, nil
}

// openParent is what lies under an overlay: the parent, in which nothing
// changed, or the overlay's backing file if the parent was deleted.
func (s *Store) openParent(id SnapshotID, backing string) (source, error) {
	m, let, err := s.hold(id)
	if err == nil {
		return source{base: m, size: m.Size, read: s.blocksOf(m), close: let}, nil
	}
	if ingot.ErrorCode(err) != ingot.CodeNotFound {
		return source{}, err
	}
	f, openErr := os.Open(backing)
	if openErr != nil {
		return source{}, fmt.Errorf("%w, and neither can the overlay's copy be read: %w", err, openErr)
	}
	src, err := rawSource(f)
	if err != nil {
		return source{}, errors.Join(err, f.Close())
	}
	src.base.ID = id
	return src, nil
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

// union is what is in a or b, in ascending order.
func union(a, b []uint32) []uint32 {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// overlay reads the blocks of a disk: extents of a file over what lies below.
type overlay struct {
	file    io.ReaderAt
	extents []extent                             // ascending
	below   func(index uint32, buf []byte) error // nil for zeros
}

// read fills buf with a block.
func (o overlay) read(index uint32, buf []byte) error {
	start, end := int64(index)*BlockSize, (int64(index)+1)*BlockSize
	first, _ := slices.BinarySearchFunc(o.extents, start, func(e extent, at int64) int {
		if e.Start+e.Length <= at {
			return -1
		}
		return 1
	})
	above := o.extents[first:]
	if len(above) == 0 || above[0].Start > start || above[0].Start+above[0].Length < end {
		if err := o.readBelow(index, buf); err != nil {
			return err
		}
	}
	for _, e := range above {
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

func (o overlay) readBelow(index uint32, buf []byte) error {
	if o.below == nil {
		clear(buf)
		return nil
	}
	return o.below(index, buf)
}

// blocksOf reads the blocks of a snapshot, those it does not list as zeros.
func (s *Store) blocksOf(m manifest) func(index uint32, buf []byte) error {
	return func(index uint32, buf []byte) error {
		i, ok := slices.BinarySearchFunc(m.blocks, index, func(b block, at uint32) int {
			return cmp.Compare(b.index, at)
		})
		if !ok {
			clear(buf)
			return nil
		}
		_, err := s.readBlock(m.ID, m.blocks[i], buf)
		return err
	}
}
