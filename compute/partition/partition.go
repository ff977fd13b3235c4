// Package partition finds the root file system of a disk: it reads a GPT, an
// MBR or a disk without either, and looks at what each partition holds.
// Logical partitions of an MBR are not read.
package partition

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Kind is the file system of a partition, by its magic number.
type Kind string

// The file systems that are told apart.
const (
	Ext4    Kind = "ext4" // also ext2 and ext3
	XFS     Kind = "xfs"
	Btrfs   Kind = "btrfs"
	Unknown Kind = "unknown"
)

// Partition is a range of a disk.
type Partition struct {
	Number int    // as in /dev/vda3; 0 is the whole disk
	Type   string // GPT type GUID, or MBR type as in "0x83"; empty for the whole disk
	Start  int64  // bytes
	Size   int64  // bytes
	Kind   Kind
}

const sector = 512

// rootTypes are the partition types that say "root file system of an x86-64 or
// arm64 machine". Source: the UAPI group's Discoverable Partitions Specification.
var rootTypes = map[string]bool{
	"4f68bce3-e8cd-4db1-96e7-fbcaf984b709": true,
	"b921b045-1df0-41c3-af44-4c6f280d3fae": true,
}

// ErrNoRoot is returned for a disk without a root file system that we know.
var ErrNoRoot = errors.New("no partition with a Linux file system")

// Root returns the partition with the root file system: the one whose type says
// so, else the largest that holds a Linux file system.
func Root(r io.ReaderAt, size int64) (Partition, error) {
	parts, err := Read(r, size)
	if err != nil {
		return Partition{}, err
	}
	var best Partition
	for _, p := range parts {
		switch {
		case p.Kind == Unknown:
		case rootTypes[p.Type]:
			return p, nil
		case p.Size > best.Size:
			best = p
		}
	}
	if best.Size == 0 {
		return Partition{}, ErrNoRoot
	}
	return best, nil
}

// Read lists the partitions of a disk of size bytes in the table's order. A
// disk without a table is one partition with the number 0.
func Read(r io.ReaderAt, size int64) ([]Partition, error) {
	parts, err := read(r, size)
	if err != nil {
		return nil, fmt.Errorf("reading the partition table: %w", err)
	}
	for i := range parts {
		if parts[i].Kind, err = detect(r, parts[i]); err != nil {
			return nil, fmt.Errorf("reading partition %d: %w", parts[i].Number, err)
		}
	}
	return parts, nil
}

func read(r io.ReaderAt, size int64) ([]Partition, error) {
	head := make([]byte, 2*sector)
	if _, err := r.ReadAt(head, 0); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(head[sector:], []byte("EFI PART")) {
		return readGPT(r, head[sector:], size)
	}
	whole := Partition{Size: size}
	if kind, err := detect(r, whole); err != nil || kind != Unknown || head[510] != 0x55 || head[511] != 0xaa {
		return []Partition{whole}, err
	}
	return readMBR(head, size)
}

// Bounds of the GPT entries that are read; the specification asks for 128 of 128 bytes.
const (
	maxEntries   = 256
	maxEntrySize = 4096
)

func readGPT(r io.ReaderAt, head []byte, size int64) ([]Partition, error) {
	lba := binary.LittleEndian.Uint64(head[72:])
	count := binary.LittleEndian.Uint32(head[80:])
	length := binary.LittleEndian.Uint32(head[84:])
	if lba > uint64(size/sector) || length < 128 || length > maxEntrySize {
		return nil, fmt.Errorf("its GPT has entries of %d bytes at sector %d", length, lba)
	}
	table := make([]byte, min(count, maxEntries)*length)
	if _, err := r.ReadAt(table, int64(lba)*sector); err != nil {
		return nil, err
	}
	var parts []Partition
	for i := range len(table) / int(length) {
		e := table[i*int(length):]
		first, last := binary.LittleEndian.Uint64(e[32:]), binary.LittleEndian.Uint64(e[40:])
		if bytes.Equal(e[:16], make([]byte, 16)) {
			continue
		}
		if first == 0 || last < first || last >= uint64(size/sector) {
			return nil, fmt.Errorf("partition %d goes from sector %d to %d of %d", i+1, first, last, size/sector)
		}
		parts = append(parts, Partition{
			Number: i + 1, Type: guid(e[:16]),
			Start: int64(first) * sector, Size: int64(last-first+1) * sector,
		})
	}
	return parts, nil
}

// guid formats a GUID, whose first three fields are little-endian.
func guid(b []byte) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b),
		binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:16])
}

func readMBR(head []byte, size int64) ([]Partition, error) {
	var parts []Partition
	for i := range 4 {
		e := head[446+16*i:]
		p := Partition{
			Number: i + 1, Type: fmt.Sprintf("0x%02x", e[4]),
			Start: int64(binary.LittleEndian.Uint32(e[8:])) * sector,
			Size:  int64(binary.LittleEndian.Uint32(e[12:])) * sector,
		}
		if e[4] == 0 || p.Size == 0 {
			continue
		}
		if p.Start == 0 || p.Start+p.Size > size {
			return nil, fmt.Errorf("partition %d goes from byte %d to %d of %d", p.Number, p.Start, p.Start+p.Size, size)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// detect looks for the magic numbers where each file system keeps its own.
func detect(r io.ReaderAt, p Partition) (Kind, error) {
	magics := []struct {
		kind  Kind
		at    int64
		magic string
	}{
		{XFS, 0, "XFSB"},
		{Ext4, 1024 + 56, "\x53\xef"},
		{Btrfs, 64<<10 + 64, "_BHRfS_M"},
	}
	for _, m := range magics {
		if m.at+int64(len(m.magic)) > p.Size {
			continue
		}
		b := make([]byte, len(m.magic))
		if _, err := r.ReadAt(b, p.Start+m.at); err != nil {
			return "", err
		}
		if string(b) == m.magic {
			return m.kind, nil
		}
	}
	return Unknown, nil
}
