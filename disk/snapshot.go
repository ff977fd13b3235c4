package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"ingot.dev/ingot"
)

// SnapshotID names a snapshot: "snap-" and 17 hex digits.
type SnapshotID string

var snapshotID = regexp.MustCompile(`^snap-[0-9a-f]{17}$`)

// ParseSnapshotID checks the form of an id. The error is CodeInvalid.
func ParseSnapshotID(s string) (SnapshotID, error) {
	if !snapshotID.MatchString(s) {
		return "", ingot.Errorf(ingot.CodeInvalid, `snapshot id %q must be "snap-" and 17 lower-case hex digits`, s)
	}
	return SnapshotID(s), nil
}

// Snapshot describes one stored disk.
type Snapshot struct {
	ID        SnapshotID
	Parent    SnapshotID // what it was made from; empty for an import. It may be gone.
	SizeBytes int64      // of the disk
	Blocks    int        // that are not zeros
	Created   time.Time
}

// Usage is what a snapshot takes in the store.
type Usage struct {
	Snapshot
	StoredBytes int64 // length of its compressed blocks
	OwnBytes    int64 // of these, what no other snapshot uses: Delete frees as much
}

// Change is a block in which two disks differ. A zero digest stands for a
// block of zeros.
type Change struct {
	Index uint32 // the block begins at byte Index * BlockSize
	A, B  Digest
}

// List returns all snapshots in order of their ids.
func (s *Store) List(ctx context.Context) ([]Snapshot, error) {
	ids, err := s.snapshotIDs()
	if err != nil {
		return nil, err
	}
	var all []Snapshot
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, err := s.readManifest(id)
		if ingot.ErrorCode(err) == ingot.CodeNotFound {
			continue // deleted since the folder was read
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m.snapshot())
	}
	return all, nil
}

// Find returns one snapshot, or CodeNotFound.
func (s *Store) Find(id SnapshotID) (Snapshot, error) {
	m, err := s.readManifest(id)
	if err != nil {
		return Snapshot{}, err
	}
	return m.snapshot(), nil
}

// Stat returns a snapshot with its use of space, or CodeNotFound.
func (s *Store) Stat(ctx context.Context, id SnapshotID) (Usage, error) {
	m, err := s.readManifest(id)
	if err != nil {
		return Usage{}, err
	}
	u := Usage{Snapshot: m.snapshot()}
	uses := m.uses()
	for d, n := range uses {
		if err := ctx.Err(); err != nil {
			return Usage{}, err
		}
		st, err := os.Stat(s.blockPath(d))
		if err != nil {
			return Usage{}, fmt.Errorf("reading block %s of %s: %w", d, id, err)
		}
		u.StoredBytes += st.Size()
		if s.refCount(d) == n {
			u.OwnBytes += st.Size()
		}
	}
	return u, nil
}

// Diff compares two snapshots by their lists; no block is read. The changes
// are in order of their index.
func (s *Store) Diff(_ context.Context, a, b SnapshotID) ([]Change, error) {
	ma, err := s.readManifest(a)
	if err != nil {
		return nil, err
	}
	mb, err := s.readManifest(b)
	if err != nil {
		return nil, err
	}
	return diff(ma.blocks, mb.blocks), nil
}

// diff merges two lists that are sorted by index.
func diff(a, b []block) []Change {
	var changes []Change
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].index < b[0].index:
			changes = append(changes, Change{Index: a[0].index, A: a[0].digest})
			a = a[1:]
		case len(a) == 0 || b[0].index < a[0].index:
			changes = append(changes, Change{Index: b[0].index, B: b[0].digest})
			b = b[1:]
		default:
			if a[0].digest != b[0].digest {
				changes = append(changes, Change{Index: a[0].index, A: a[0].digest, B: b[0].digest})
			}
			a, b = a[1:], b[1:]
		}
	}
	return changes
}

// Verify reads every block of a snapshot and returns all that are damaged or
// missing as one joined error.
func (s *Store) Verify(ctx context.Context, id SnapshotID) error {
	m, err := s.readManifest(id)
	if err != nil {
		return err
	}
	damage := make([]error, len(m.blocks))
	err = eachBlock(ctx, len(m.blocks), func(i int, buf []byte) error {
		_, damage[i] = s.readBlock(id, m.blocks[i], buf)
		return nil
	})
	return errors.Join(append(damage, err)...)
}

// Delete removes a snapshot, its cached disk and the blocks that no other
// snapshot uses. A snapshot that is not there is no error.
func (s *Store) Delete(ctx context.Context, id SnapshotID) error {
	unlock, err := s.names.lock(ctx, string(id))
	if err != nil {
		return err
	}
	defer unlock()
	m, err := s.readManifest(id)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Remove(s.manifestPath(id)); err != nil {
		return fmt.Errorf("deleting %s: %w", id, err)
	}
	// The blocks must not go before the manifest is gone for good.
	if err := syncDir(s.snapshotDir()); err != nil {
		return fmt.Errorf("deleting %s: %w", id, err)
	}
	return errors.Join(s.release(digests(m.blocks)), s.dropCached(ctx, id))
}

// snapshotIDs lists the manifests in the store.
func (s *Store) snapshotIDs() ([]SnapshotID, error) {
	entries, err := os.ReadDir(s.snapshotDir())
	if err != nil {
		return nil, fmt.Errorf("listing snapshots: %w", err)
	}
	var ids []SnapshotID
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), manifestSuffix)
		if id, err := ParseSnapshotID(name); ok && err == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

func (s *Store) manifestPath(id SnapshotID) string {
	return filepath.Join(s.snapshotDir(), string(id)+manifestSuffix)
}

// readManifest reads a snapshot's list. The id comes from outside: its form is
// checked before it becomes part of a path.
func (s *Store) readManifest(id SnapshotID) (manifest, error) {
	if _, err := ParseSnapshotID(string(id)); err != nil {
		return manifest{}, err
	}
	f, err := os.Open(s.manifestPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return manifest{}, ingot.Errorf(ingot.CodeNotFound, "snapshot %s does not exist in %s", id, s.dir)
	}
	if err != nil {
		return manifest{}, fmt.Errorf("reading snapshot %s: %w", id, err)
	}
	defer f.Close()
	m, err := decodeManifest(f)
	if err != nil {
		return manifest{}, fmt.Errorf("reading snapshot %s from %s: %w", id, f.Name(), err)
	}
	if m.ID != id {
		return manifest{}, fmt.Errorf("reading snapshot %s from %s: the file holds %s", id, f.Name(), m.ID)
	}
	return m, nil
}
