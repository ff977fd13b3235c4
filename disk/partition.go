package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf16"
)

const sectorSize = 512

// Types of GPT partitions, and the MBR's for an EFI system partition. Sources:
// UEFI 2.10 §5.3, and the Discoverable Partitions Specification for the roots.
const (
	typeESP       = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	typeBIOSBoot  = "21686148-6449-6e6f-744e-656564454649"
	typeRootX86   = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
	typeRootARM64 = "b921b045-1df0-41c3-af44-4c6f280d3fae"
	mbrESP        = "ef"
)

// Bounds on what a table may claim. Real GPTs have 128 entries of 128 bytes;
// real disks few logical partitions.
const (
	maxEntries    = 1024
	maxEntrySize  = 4096
	maxLogical    = 128
	mbrProtective = 0xee
)

// mbrEntry is one of the four entries of a boot record.
type mbrEntry struct {
	kind         byte
	first, count uint32 // sectors
}

func mbrEntries(sector []byte) (entries [4]mbrEntry) {
	for i := range entries {
		e := sector[446+16*i:]
		entries[i] = mbrEntry{kind: e[4], first: binary.LittleEndian.Uint32(e[8:]), count: binary.LittleEndian.Uint32(e[12:])}
	}
	return entries
}

func hasSignature(sector []byte) bool { return sector[510] == 0x55 && sector[511] == 0xaa }

// isProtective says whether the record only protects a GPT. In a hybrid one the
// protecting entry need not be the first.
func isProtective(sector []byte) bool {
	for _, e := range mbrEntries(sector) {
		if e.kind == mbrProtective && hasSignature(sector) {
			return true
		}
	}
	return false
}

// isMBR tells a boot record from the boot sector of a FAT or NTFS file system,
// which has the same signature: the status byte of an entry is 0 or 0x80, and
// at least one entry is in use.
func isMBR(sector []byte) bool {
	used := false
	for i, e := range mbrEntries(sector) {
		if status := sector[446+16*i]; status != 0 && status != 0x80 {
			return false
		}
		used = used || e.kind != 0 && e.count != 0
	}
	return used && hasSignature(sector)
}

// hasBootCode says whether the first sector has code for a BIOS to run.
func hasBootCode(sector []byte) bool {
	return hasSignature(sector) && strings.Trim(string(sector[:440]), "\x00") != ""
}

// readMBR lists the primary partitions and the chain of logical ones, which
// count from 5.
func readMBR(r io.ReaderAt, mbr []byte, size int64) ([]Partition, error) {
	var all []Partition
	for i, e := range mbrEntries(mbr) {
		if e.kind == 0 || e.count == 0 {
			continue
		}
		if isExtended(e.kind) {
			logical, err := readLogical(r, e, size)
			if err != nil {
				return nil, err
			}
			all = append(all, logical...)
			continue
		}
		p, err := mbrPartition(i+1, 0, e, size)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// readLogical follows the chain of an extended partition: each record has one
// partition, relative to itself, and the next record, relative to the first.
func readLogical(r io.ReaderAt, extended mbrEntry, size int64) ([]Partition, error) {
	var all []Partition
	at := int64(extended.first)
	sector := make([]byte, sectorSize)
	for range maxLogical {
		if err := readAt(r, sector, at*sectorSize); err != nil {
			return nil, fmt.Errorf("reading the extended partition table at sector %d: %w", at, err)
		}
		entries := mbrEntries(sector)
		if !hasSignature(sector) {
			return nil, fmt.Errorf("the extended partition table at sector %d has no signature", at)
		}
		if e := entries[0]; e.kind != 0 && e.count != 0 {
			p, err := mbrPartition(5+len(all), at, e, size)
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
		if !isExtended(entries[1].kind) {
			return all, nil
		}
		at = int64(extended.first) + int64(entries[1].first)
	}
	return nil, fmt.Errorf("the extended partition table has more than %d records", maxLogical)
}

func isExtended(kind byte) bool { return kind == 0x05 || kind == 0x0f || kind == 0x85 }

func mbrPartition(number int, base int64, e mbrEntry, size int64) (Partition, error) {
	p := Partition{
		Number: number, Type: fmt.Sprintf("%02x", e.kind),
		Offset: (base + int64(e.first)) * sectorSize, Size: int64(e.count) * sectorSize,
	}
	return p, p.check(size)
}

// check refuses a partition that is not within its disk.
func (p Partition) check(size int64) error {
	if p.Offset < 0 || p.Size <= 0 || p.Offset > size || p.Size > size-p.Offset {
		return fmt.Errorf("partition %d (%d bytes at %d) lies beyond the disk's end at %d", p.Number, p.Size, p.Offset, size)
	}
	return nil
}

// readGPT lists the used entries of the primary table. Source: UEFI 2.10 §5.3.
func readGPT(r io.ReaderAt, size int64) ([]Partition, error) {
	header := make([]byte, sectorSize)
	if err := readAt(r, header, sectorSize); err != nil {
		return nil, fmt.Errorf("reading the GPT header: %w", err)
	}
	if err := checkGPT(header); err != nil {
		return nil, err
	}
	lba := binary.LittleEndian.Uint64(header[72:])
	count := binary.LittleEndian.Uint32(header[80:])
	entrySize := binary.LittleEndian.Uint32(header[84:])
	if lba < 2 || lba > uint64(size/sectorSize) || count > maxEntries || entrySize < 128 || entrySize > maxEntrySize {
		return nil, fmt.Errorf("the GPT header claims %d entries of %d bytes at sector %d", count, entrySize, lba)
	}
	table := make([]byte, count*entrySize)
	if err := readAt(r, table, int64(lba)*sectorSize); err != nil {
		return nil, fmt.Errorf("reading the GPT entries: %w", err)
	}
	if crc32.ChecksumIEEE(table) != binary.LittleEndian.Uint32(header[88:]) {
		return nil, errors.New("the checksum of the GPT entries is wrong")
	}
	return gptPartitions(table, int(entrySize), size)
}

func gptPartitions(table []byte, entrySize int, size int64) ([]Partition, error) {
	var all []Partition
	for i := 0; i < len(table)/entrySize; i++ {
		e := table[i*entrySize:]
		if [16]byte(e) == ([16]byte{}) {
			continue
		}
		first, last := binary.LittleEndian.Uint64(e[32:]), binary.LittleEndian.Uint64(e[40:])
		if first > last || last >= uint64(size/sectorSize) {
			return nil, fmt.Errorf("partition %d (sectors %d to %d) lies beyond the disk's end at sector %d", i+1, first, last, size/sectorSize)
		}
		all = append(all, Partition{
			Number: i + 1, Type: guid(e), Name: gptName(e[56:128]),
			Offset: int64(first) * sectorSize, Size: int64(last-first+1) * sectorSize,
		})
	}
	return all, nil
}

func checkGPT(header []byte) error {
	if string(header[:8]) != "EFI PART" {
		return errors.New("the protective boot record is not followed by a GPT header")
	}
	length := binary.LittleEndian.Uint32(header[12:])
	if length < 92 || length > sectorSize {
		return fmt.Errorf("the GPT header claims a length of %d bytes", length)
	}
	// The sum is taken with its own field as zero.
	want := binary.LittleEndian.Uint32(header[16:])
	clear(header[16:20])
	if crc32.ChecksumIEEE(header[:length]) != want {
		return errors.New("the checksum of the GPT header is wrong")
	}
	return nil
}

// guid prints a GUID, whose first three fields are little-endian on disk.
func guid(b []byte) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b),
		binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:16])
}

func gptName(b []byte) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		u := binary.LittleEndian.Uint16(b)
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}
