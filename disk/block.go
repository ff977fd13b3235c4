package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const blockSuffix = ".zst"

// zeroBlock is what a block that is not stored reads as.
var zeroBlock [BlockSize]byte

func (s *Store) blockPath(d Digest) string {
	name := d.String()
	return filepath.Join(s.blockDir(), name[:2], name+blockSuffix)
}

// putBlock stores a block of BlockSize bytes unless it is there already, and
// counts one use of it, also when it fails: the caller releases all it put. The
// file is on stable storage afterwards, its folder entry only after syncBlocks.
func (s *Store) putBlock(data []byte) (Digest, error) {
	d := Digest(sha256.Sum256(data))
	return d, s.putPacked(d, func() ([]byte, error) {
		return s.enc.EncodeAll(data, make([]byte, 0, BlockSize/2)), nil
	})
}

// putPacked is putBlock for a block of a known digest; pack is called only if
// the block is not here.
func (s *Store) putPacked(d Digest, pack func() ([]byte, error)) error {
	s.retain(d)
	if _, err := os.Lstat(s.blockPath(d)); err == nil {
		return nil
	}
	// Another operation may be storing the same block: both rename the same bytes into place.
	packed, err := pack()
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Dir(s.blockPath(d)), 0o750); err != nil && !errors.Is(err, os.ErrExist) {
		return noSpace(s.blockDir(), err)
	}
	err = s.writeFile(s.blockPath(d), func(w io.Writer) error {
		_, err := w.Write(packed)
		return err
	})
	if err == nil {
		s.written.Add(int64(len(packed)))
	}
	return err
}

// readBlock fills buf, of BlockSize bytes, with a block of a snapshot and
// checks it against its digest. It returns the block as it is stored.
func (s *Store) readBlock(id SnapshotID, b block, buf []byte) (packed []byte, err error) {
	damaged := func(err error) error {
		return fmt.Errorf("reading block %d (%s) of %s: %w", b.index, b.digest, id, err)
	}
	packed, err = readPacked(s.blockPath(b.digest))
	if err != nil {
		return nil, damaged(err)
	}
	data, err := s.dec.DecodeAll(packed, buf[:0])
	if err != nil {
		return nil, damaged(fmt.Errorf("the stored block is damaged: %w", err))
	}
	if len(data) != BlockSize || sha256.Sum256(data) != b.digest {
		return nil, damaged(errors.New("the stored block is damaged: its checksum is wrong"))
	}
	return packed, nil
}

// readPacked reads a block's file, if it is no larger than one can be: even
// what does not compress is at most a little longer than a block.
func readPacked(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > BlockSize+BlockSize/8 {
		return nil, fmt.Errorf("the stored block is damaged: %s has %d bytes", path, st.Size())
	}
	packed := make([]byte, st.Size())
	_, err = io.ReadFull(f, packed)
	return packed, err
}

// syncBlocks makes the folder entries of blocks durable.
func (s *Store) syncBlocks(blocks []block) error {
	touched := map[string]bool{s.blockDir(): true} // it may have got new folders
	for _, b := range blocks {
		if b.digest != (Digest{}) {
			touched[filepath.Dir(s.blockPath(b.digest))] = true
		}
	}
	for dir := range touched {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// retain counts one use of each block.
func (s *Store) retain(uses ...Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addRefs(uses)
}

// addRefs is retain under the lock.
func (s *Store) addRefs(uses []Digest) {
	for _, d := range uses {
		s.refs[d]++
	}
	s.uses += len(uses)
}

func (s *Store) refCount(d Digest) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refs[d]
}

// release takes back one use of each block and removes those without any; the
// zero digest is no block. The lock is held while files go, so that putBlock
// never finds a block that is about to vanish.
func (s *Store) release(uses []Digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, d := range uses {
		if d == (Digest{}) {
			continue
		}
		s.uses--
		if s.refs[d]--; s.refs[d] > 0 {
			continue
		}
		delete(s.refs, d)
		if err := os.Remove(s.blockPath(d)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("freeing block %s: %w", d, err))
		}
	}
	return errors.Join(errs...)
}

// loadRefs counts the uses of all blocks by all manifests.
func (s *Store) loadRefs() error {
	ids, err := s.snapshotIDs()
	if err != nil {
		return err
	}
	for _, id := range ids {
		m, err := s.readManifest(id)
		if err != nil {
			// Going on would sweep the blocks of a snapshot that may yet be saved.
			return fmt.Errorf("%w; restore the file, or move it away to give the snapshot up", err)
		}
		s.addRefs(digests(m.blocks))
	}
	return nil
}

// sweepBlocks removes the blocks that no manifest names: a crash came before
// the manifest was written, or while its snapshot was being deleted.
func (s *Store) sweepBlocks() error {
	shards, err := readNames(s.blockDir())
	if err != nil {
		return err
	}
	for _, shard := range shards {
		dir := filepath.Join(s.blockDir(), shard)
		names, err := readNames(dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			if d, ok := blockDigest(name); ok && s.refs[d] > 0 {
				continue
			}
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return fmt.Errorf("sweeping blocks: %w", err)
			}
		}
	}
	return nil
}

// blockDigest reads the digest out of a block's file name.
func blockDigest(name string) (d Digest, ok bool) {
	digits, ok := strings.CutSuffix(name, blockSuffix)
	if !ok || len(digits) != hex.EncodedLen(len(d)) {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(digits))
	return d, err == nil
}
