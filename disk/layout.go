package disk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// Table is the kind of a disk's partition table.
type Table string

// The kinds of partition tables. TableNone is a file system on the bare disk,
// or nothing known.
const (
	TableGPT  Table = "gpt"
	TableMBR  Table = "mbr"
	TableNone Table = "none"
)

// Layout is how a disk is divided and what can start from it.
type Layout struct {
	Table      Table
	Partitions []Partition // in order of the table; with TableNone one for the whole disk
	Root       int         // index in Partitions of the root file system; -1 if none is found
	BootModes  []string    // of "bios" and "uefi", in this order
}

// Partition is a part of a disk.
type Partition struct {
	Number     int    // as the kernel counts: 1 is the first; 0 for the whole disk
	Offset     int64  // bytes from the start of the disk
	Size       int64  // bytes
	Type       string // GPT: the type's GUID in lower case; MBR: two hex digits
	Name       string // GPT only
	FileSystem string // "ext4", "xfs", "btrfs", "vfat", ...; empty if not known
}

// Inspect reads the layout of a raw disk file, such as Exposed shows.
func Inspect(path string) (Layout, error) {
	f, err := os.Open(path)
	if err != nil {
		return Layout{}, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd) // a device has no size in its stat
	if err != nil {
		return Layout{}, fmt.Errorf("inspecting %s: %w", path, err)
	}
	l, err := ReadLayout(f, size)
	if err != nil {
		return Layout{}, fmt.Errorf("inspecting %s: %w", path, err)
	}
	return l, nil
}

// Inspect reads the layout of a snapshot out of its blocks.
func (s *Store) Inspect(_ context.Context, id SnapshotID) (_ Layout, err error) {
	m, let, err := s.hold(id)
	if err != nil {
		return Layout{}, err
	}
	defer func() { err = errors.Join(err, let()) }()
	l, err := ReadLayout(&reader{block: s.blocksOf(m), size: m.Size}, m.Size)
	if err != nil {
		return Layout{}, fmt.Errorf("inspecting %s: %w", id, err)
	}
	return l, nil
}

// reader reads a snapshot at any position, a block at a time.
type reader struct {
	block func(index uint32, buf []byte) error
	size  int64
	index int64 // of the block in buf; buf is nil before the first
	buf   []byte
}

func (r *reader) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if at >= r.size {
			return n, io.EOF
		}
		if err := r.load(at / BlockSize); err != nil {
			return n, err
		}
		from := at % BlockSize
		n += copy(p[n:], r.buf[from:min(BlockSize, from+r.size-at)])
	}
	return n, nil
}

func (r *reader) load(index int64) error {
	if r.buf != nil && r.index == index {
		return nil
	}
	buf := make([]byte, BlockSize)
	if err := r.block(uint32(index), buf); err != nil {
		return err
	}
	r.index, r.buf = index, buf
	return nil
}

// ReadLayout reads a layout from the size bytes of a disk with sectors of 512
// bytes. A damaged GPT is an error; so is a partition beyond the end.
func ReadLayout(r io.ReaderAt, size int64) (Layout, error) {
	mbr := make([]byte, sectorSize)
	if err := readAt(r, mbr, 0); err != nil {
		return Layout{}, fmt.Errorf("reading the first sector: %w", err)
	}
	l := Layout{Table: TableNone, Root: -1}
	var err error
	switch {
	case isProtective(mbr):
		l.Table = TableGPT
		l.Partitions, err = readGPT(r, size)
	case isMBR(mbr):
		l.Table = TableMBR
		l.Partitions, err = readMBR(r, mbr, size)
	default:
		l.Partitions = []Partition{{Size: size}}
	}
	if err != nil {
		return Layout{}, err
	}
	for i, p := range l.Partitions {
		l.Partitions[i].FileSystem = fileSystem(io.NewSectionReader(r, p.Offset, p.Size))
	}
	l.Root = l.findRoot()
	l.BootModes = l.bootModes(mbr)
	return l, nil
}

// findRoot chooses by the type that the Discoverable Partitions Specification
// gives to root file systems, else the largest file system of Linux.
func (l Layout) findRoot() int {
	root := -1
	for i, p := range l.Partitions {
		if p.Type == typeRootX86 || p.Type == typeRootARM64 {
			return i
		}
		if !linuxFileSystem[p.FileSystem] {
			continue
		}
		if root < 0 || p.Size > l.Partitions[root].Size {
			root = i
		}
	}
	return root
}

// bootModes goes by what a firmware would look for: code in the first sector,
// or the partition that a boot loader's second stage has in a GPT; and an EFI
// system partition.
func (l Layout) bootModes(mbr []byte) []string {
	bios, uefi := l.Table != TableNone && hasBootCode(mbr), false
	for _, p := range l.Partitions {
		bios = bios || p.Type == typeBIOSBoot
		uefi = uefi || p.Type == typeESP || p.Type == mbrESP
	}
	var modes []string
	if bios {
		modes = append(modes, "bios")
	}
	if uefi {
		modes = append(modes, "uefi")
	}
	return modes
}

// linuxFileSystem are those a Linux system can have its root on.
var linuxFileSystem = map[string]bool{"ext2": true, "ext3": true, "ext4": true, "xfs": true, "btrfs": true}

// fileSystem tells a file system by its magic number; empty if it is not known.
func fileSystem(r io.ReaderAt) string {
	magic := func(offset int64, text string) bool {
		buf := make([]byte, len(text))
		return readAt(r, buf, offset) == nil && string(buf) == text
	}
	switch {
	case magic(1024+56, "\x53\xef"):
		return extVersion(r)
	case magic(0, "XFSB"):
		return "xfs"
	case magic(64<<10+64, "_BHRfS_M"):
		return "btrfs"
	case magic(3, "NTFS    "):
		return "ntfs"
	case magic(82, "FAT32   "), magic(54, "FAT16   "), magic(54, "FAT12   "):
		return "vfat"
	case magic(4096-10, "SWAPSPACE2"):
		return "swap"
	case magic(0, "LUKS\xba\xbe"):
		return "luks"
	case magic(512, "LABELONE"):
		return "lvm"
	}
	return ""
}

// extVersion tells the three generations apart by their feature words, which
// lie at 92 (compatible) and 96 (incompatible) of the superblock.
func extVersion(r io.ReaderAt) string {
	const hasJournal, extents, bits64, flexBG = 0x4, 0x40, 0x80, 0x200
	words := make([]byte, 8)
	if readAt(r, words, 1024+92) != nil {
		return ""
	}
	switch {
	case binary.LittleEndian.Uint32(words[4:])&(extents|bits64|flexBG) != 0:
		return "ext4"
	case binary.LittleEndian.Uint32(words)&hasJournal != 0:
		return "ext3"
	}
	return "ext2"
}

// readAt fills buf; an end within it is an error.
func readAt(r io.ReaderAt, buf []byte, off int64) error {
	n, err := r.ReadAt(buf, off)
	if n == len(buf) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
