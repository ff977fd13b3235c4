package disk

import (
	"context"
	"errors"
	"fmt"

	"ingot.dev/ingot"
)

// Copy brings a snapshot of another store into this one, under the same id.
// Blocks that are here already are not read; the others are checked and keep
// their compressed form. A snapshot that was copied before is returned; one of
// that id with another content is CodeExists.
func (s *Store) Copy(ctx context.Context, from *Store, id SnapshotID) (snap Snapshot, err error) {
	theirs, let, err := from.hold(id)
	if err != nil {
		return Snapshot{}, err
	}
	defer func() { err = errors.Join(err, let()) }()
	unlock, err := s.names.lock(ctx, string(id))
	if err != nil {
		return Snapshot{}, err
	}
	defer unlock()
	mine, err := s.readManifest(id)
	if ingot.ErrorCode(err) != ingot.CodeNotFound {
		if err == nil && len(diff(mine.blocks, theirs.blocks)) > 0 {
			err = ingot.Errorf(ingot.CodeExists, "snapshot %s exists in %s with another content than in %s", id, s.dir, from.dir)
		}
		return mine.snapshot(), err
	}
	if err := s.copyBlocks(ctx, from, theirs); err != nil {
		return Snapshot{}, fmt.Errorf("copying %s: %w", id, err)
	}
	theirs.Created = s.Now().UTC()
	return theirs.snapshot(), errors.Join(s.commit(theirs), s.release(digests(theirs.blocks)))
}

// copyBlocks stores the blocks of a manifest and counts one use of each; when
// it fails, none stays.
func (s *Store) copyBlocks(ctx context.Context, from *Store, m manifest) error {
	put := make([]Digest, len(m.blocks)) // the zero digest: not yet
	err := eachBlock(ctx, len(m.blocks), func(i int, buf []byte) error {
		b := m.blocks[i]
		put[i] = b.digest
		return s.putPacked(b.digest, func() ([]byte, error) { return from.readBlock(m.ID, b, buf) })
	})
	if err == nil {
		err = s.syncBlocks(m.blocks)
	}
	if err != nil {
		return errors.Join(err, s.release(put))
	}
	return nil
}
