package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"ingot.dev/ingot"
)

// source is a disk about to become a snapshot: base with some blocks replaced.
type source struct {
	base   manifest // of the parent, which is held; empty for none
	size   int64    // bytes
	blocks []uint32 // where it may differ from base, in ascending order
	// read fills buf, of BlockSize bytes, with one of blocks. Several goroutines call it.
	read  func(index uint32, buf []byte) error
	close func() error
}

// create stores a snapshot of what open returns, unless it exists.
func (s *Store) create(ctx context.Context, id, parent SnapshotID, open func() (source, error)) (snap Snapshot, err error) {
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
	src, err := open()
	if err != nil {
		return Snapshot{}, fmt.Errorf("storing %s: %w", id, err)
	}
	defer func() { err = errors.Join(err, src.close()) }()
	snap, err = s.store(ctx, id, src)
	if err != nil {
		return Snapshot{}, fmt.Errorf("storing %s: %w", id, err)
	}
	return snap, nil
}

// store writes the blocks of src and then the manifest. The caller has locked
// id. If anything fails, nothing stays.
func (s *Store) store(ctx context.Context, id SnapshotID, src source) (_ Snapshot, err error) {
	if src.size <= 0 || src.size > MaxSize {
		return Snapshot{}, ingot.Errorf(ingot.CodeInvalid, "the disk has %d bytes; it must have from 1 to %d", src.size, int64(MaxSize))
	}
	changed, err := s.storeBlocks(ctx, src)
	defer func() { err = errors.Join(err, s.release(digests(changed))) }()
	if err == nil {
		err = s.syncBlocks(changed)
	}
	if err != nil {
		return Snapshot{}, err
	}
	m := manifest{
		manifestHeader: manifestHeader{ID: id, Parent: src.base.ID, Size: src.size, Created: s.Now().UTC()},
		blocks:         merge(src.base.blocks, changed),
	}
	return m.snapshot(), s.commit(m)
}

// commit makes the manifest, and with it the snapshot, exist.
func (s *Store) commit(m manifest) error {
	uses := digests(m.blocks)
	s.retain(uses...)
	err := s.writeFile(s.manifestPath(m.ID), m.encode)
	if err != nil {
		return errors.Join(err, s.release(uses))
	}
	return syncDir(s.snapshotDir())
}

// storeBlocks stores the blocks of src side by side and returns them in their
// order, those of zeros with the zero digest. The caller releases what is
// returned, after an error too.
func (s *Store) storeBlocks(ctx context.Context, src source) ([]block, error) {
	stored := make([]block, len(src.blocks))
	err := eachBlock(ctx, len(src.blocks), func(i int, buf []byte) error {
		stored[i].index = src.blocks[i]
		if err := src.read(src.blocks[i], buf); err != nil {
			return fmt.Errorf("reading block %d: %w", src.blocks[i], err)
		}
		if bytes.Equal(buf, zeroBlock[:]) {
			return nil
		}
		var err error
		stored[i].digest, err = s.putBlock(buf)
		return err
	})
	return stored, err
}

// eachBlock calls do for 0 to n-1 from several goroutines, each with a buffer
// of BlockSize bytes of its own, and returns the first error.
func eachBlock(ctx context.Context, n int, do func(i int, buf []byte) error) error {
	// More than there are processors: some wait for the disk while others compute.
	workers := min(4*runtime.NumCPU(), n)
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range workers {
		g.Go(func() error {
			buf := make([]byte, BlockSize)
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(int(i), buf); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// merge lays changed over base, both in ascending order; a changed block with
// the zero digest is one of zeros and drops out.
func merge(base, changed []block) []block {
	merged := make([]block, 0, len(base)+len(changed))
	for len(base) > 0 || len(changed) > 0 {
		if len(changed) == 0 || len(base) > 0 && base[0].index < changed[0].index {
			merged, base = append(merged, base[0]), base[1:]
			continue
		}
		if len(base) > 0 && base[0].index == changed[0].index {
			base = base[1:]
		}
		if changed[0].digest != (Digest{}) {
			merged = append(merged, changed[0])
		}
		changed = changed[1:]
	}
	return merged
}

// hold returns a snapshot's manifest and keeps its blocks until let is called,
// even if the snapshot is deleted meanwhile. No id gives an empty manifest.
func (s *Store) hold(id SnapshotID) (m manifest, let func() error, err error) {
	if id == "" {
		return manifest{}, func() error { return nil }, nil
	}
	// Delete unlinks the manifest before it takes this lock to release the
	// blocks: a manifest read under the lock still has all of them.
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, err = s.readManifest(id); err != nil {
		return manifest{}, nil, err
	}
	uses := digests(m.blocks)
	s.addRefs(uses)
	return m, func() error { return s.release(uses) }, nil
}
