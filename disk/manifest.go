package disk

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// A manifest file is one line of JSON (manifestHeader), then Blocks entries of
// 36 bytes in ascending order (block index as a big-endian uint32, SHA-256 of
// the block's 512 KiB), then the SHA-256 of everything before.
const (
	manifestSuffix  = ".blocks"
	manifestFormat  = 1
	manifestEntry   = 4 + sha256.Size
	manifestMaxLine = 4096 // bytes of the header line, newline included
)

// Digest is the SHA-256 of a block before compression.
type Digest [sha256.Size]byte

// String returns the digest in hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// block is one entry of a manifest: the block at byte index * BlockSize.
type block struct {
	index  uint32
	digest Digest
}

type manifestHeader struct {
	Format  int        `json:"format"`
	ID      SnapshotID `json:"id"`
	Parent  SnapshotID `json:"parent,omitempty"`
	Size    int64      `json:"sizeBytes"`
	Blocks  int        `json:"blocks"`
	Created time.Time  `json:"created"`
}

// manifest is a snapshot's list; blocks that are not in it are zeros.
type manifest struct {
	manifestHeader
	blocks []block
}

func (m manifest) snapshot() Snapshot {
	return Snapshot{ID: m.ID, Parent: m.Parent, SizeBytes: m.Size, Blocks: len(m.blocks), Created: m.Created}
}

func digests(blocks []block) []Digest {
	ds := make([]Digest, len(blocks))
	for i, b := range blocks {
		ds[i] = b.digest
	}
	return ds
}

// uses counts how often each block occurs in this disk.
func (m manifest) uses() map[Digest]int {
	n := make(map[Digest]int, len(m.blocks))
	for _, b := range m.blocks {
		n[b.digest]++
	}
	return n
}

// encode writes the manifest in the form above.
func (m manifest) encode(w io.Writer) error {
	m.Format, m.Blocks = manifestFormat, len(m.blocks)
	line, err := json.Marshal(m.manifestHeader)
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := bufio.NewWriter(w)
	body := io.MultiWriter(out, sum)
	if _, err := body.Write(append(line, '\n')); err != nil {
		return err
	}
	entry := make([]byte, 0, manifestEntry)
	for _, b := range m.blocks {
		entry = append(binary.BigEndian.AppendUint32(entry[:0], b.index), b.digest[:]...)
		if _, err := body.Write(entry); err != nil {
			return err
		}
	}
	if _, err := out.Write(sum.Sum(nil)); err != nil {
		return err
	}
	return out.Flush()
}

// decodeManifest reads a manifest and checks its sum, its order and its
// bounds. It takes memory for what the file really holds, not for what the
// header claims.
func decodeManifest(r io.Reader) (manifest, error) {
	in := bufio.NewReaderSize(r, manifestMaxLine)
	sum := sha256.New()
	m, err := decodeHeader(in, sum)
	if err != nil {
		return manifest{}, err
	}
	if err := m.decodeBlocks(in, sum); err != nil {
		return manifest{}, err
	}
	var want Digest
	if _, err := io.ReadFull(in, want[:]); err != nil {
		return manifest{}, fmt.Errorf("reading the checksum: %w", err)
	}
	if !bytes.Equal(sum.Sum(nil), want[:]) {
		return manifest{}, errors.New("the checksum is wrong: the file is damaged")
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return manifest{}, errors.New("bytes follow the checksum: the file is damaged")
	}
	return m, nil
}

func decodeHeader(in *bufio.Reader, sum hash.Hash) (manifest, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return manifest{}, fmt.Errorf("reading the header line of at most %d bytes: %w", manifestMaxLine, err)
	}
	sum.Write(line)
	var m manifest
	if err := json.Unmarshal(line, &m.manifestHeader); err != nil {
		return manifest{}, fmt.Errorf("reading the header line: %w", err)
	}
	if m.Format != manifestFormat {
		return manifest{}, fmt.Errorf("format %d is not known to this version, which reads %d", m.Format, manifestFormat)
	}
	if m.Size <= 0 || m.Size > MaxSize {
		return manifest{}, fmt.Errorf("size %d must be from 1 to %d bytes", m.Size, int64(MaxSize))
	}
	if m.Blocks < 0 || int64(m.Blocks) > blockCount(m.Size) {
		return manifest{}, fmt.Errorf("%d blocks do not fit a disk of %d bytes", m.Blocks, m.Size)
	}
	return m, nil
}

func (m *manifest) decodeBlocks(in io.Reader, sum hash.Hash) error {
	m.blocks = make([]block, 0, min(m.Blocks, 4096))
	var entry [manifestEntry]byte
	next := int64(0)
	for range m.Blocks {
		if _, err := io.ReadFull(in, entry[:]); err != nil {
			return fmt.Errorf("reading block %d of %d: %w", len(m.blocks), m.Blocks, err)
		}
		sum.Write(entry[:])
		b := block{index: binary.BigEndian.Uint32(entry[:]), digest: Digest(entry[4:])}
		if int64(b.index) < next || int64(b.index) >= blockCount(m.Size) {
			return fmt.Errorf("block %d is out of order or beyond the end", b.index)
		}
		next = int64(b.index) + 1
		m.blocks = append(m.blocks, b)
	}
	return nil
}

// blockCount is the number of blocks a disk of size bytes has.
func blockCount(size int64) int64 { return (size + BlockSize - 1) / BlockSize }
