package base

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"unicode/utf16"

	"github.com/google/uuid"
)

const (
	mib        = 1 << 20
	sector     = 512
	gptEntries = 128 // of 128 bytes, as every tool expects
	gptTable   = gptEntries * 128 / sector
)

// Partition types. Source: UEFI specification and the Discoverable Partitions
// Specification; the last one lets systemd-repart find the root to grow.
var (
	typeBIOSBoot = uuid.MustParse("21686148-6449-6e6f-744e-656564454649")
	typeESP      = uuid.MustParse("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
	typeRootX86  = uuid.MustParse("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")
)

// extent is a range of bytes of the disk.
type extent struct{ offset, length int64 }

// layout is where the partitions are. The root is the last one, so that it can grow.
type layout struct {
	size            int64
	bios, esp, root extent
}

func newLayout(size int64) layout {
	const rootStart = 51 * mib
	return layout{
		size: size,
		bios: extent{1 * mib, 1 * mib},
		esp:  extent{2 * mib, 48 * mib},
		// The last MiB holds the backup table.
		root: extent{rootStart, size - rootStart - mib},
	}
}

type partition struct {
	extent
	kind, id uuid.UUID
	name     string
}

// write puts the protective MBR and both partition tables into the disk file.
func (l layout) write(path string, ids identity) error {
	table := encodeTable([]partition{
		{l.bios, typeBIOSBoot, ids.bios, "bios"},
		{l.esp, typeESP, ids.esp, "esp"},
		{l.root, typeRootX86, ids.root, "root"},
	})
	last := l.size/sector - 1
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("writing the partition table: %w", err)
	}
	var errs []error
	for _, w := range []struct {
		data []byte
		lba  int64
	}{
		{protectiveMBR(last), 0},
		{encodeHeader(table, ids.disk, 1, last, 2), 1},
		{table, 2},
		{table, last - gptTable},
		{encodeHeader(table, ids.disk, last, 1, last-gptTable), last},
	} {
		_, err := f.WriteAt(w.data, w.lba*sector)
		errs = append(errs, err)
	}
	if err := errors.Join(append(errs, f.Close())...); err != nil {
		return fmt.Errorf("writing the partition table: %w", err)
	}
	return nil
}

// protectiveMBR claims the disk for GPT before programs that know only the MBR.
func protectiveMBR(last int64) []byte {
	b := make([]byte, sector)
	e := b[446:]
	copy(e, []byte{0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff})
	binary.LittleEndian.PutUint32(e[8:], 1)
	binary.LittleEndian.PutUint32(e[12:], uint32(min(last, 1<<32-1)))
	b[510], b[511] = 0x55, 0xaa
	return b
}

// encodeHeader makes the header at sector own; other is the sector of its twin,
// entries the first one of its table. Source: UEFI 2.10 §5.3.2.
func encodeHeader(table []byte, disk uuid.UUID, own, other, entries int64) []byte {
	last := max(own, other)
	b := make([]byte, sector)
	copy(b, "EFI PART")
	le := binary.LittleEndian
	le.PutUint32(b[8:], 0x10000) // revision 1.0
	le.PutUint32(b[12:], 92)     // length of the header
	le.PutUint64(b[24:], uint64(own))
	le.PutUint64(b[32:], uint64(other))
	le.PutUint64(b[40:], 2+gptTable) // first and last usable sector
	le.PutUint64(b[48:], uint64(last-gptTable-1))
	copy(b[56:], mixedEndian(disk))
	le.PutUint64(b[72:], uint64(entries))
	le.PutUint32(b[80:], gptEntries)
	le.PutUint32(b[84:], 128)
	le.PutUint32(b[88:], crc32.ChecksumIEEE(table))
	le.PutUint32(b[16:], crc32.ChecksumIEEE(b[:92]))
	return b
}

func encodeTable(parts []partition) []byte {
	table := make([]byte, gptTable*sector)
	for i, p := range parts {
		e := table[i*128:]
		copy(e, mixedEndian(p.kind))
		copy(e[16:], mixedEndian(p.id))
		binary.LittleEndian.PutUint64(e[32:], uint64(p.offset/sector))
		binary.LittleEndian.PutUint64(e[40:], uint64((p.offset+p.length)/sector-1))
		for j, c := range utf16.Encode([]rune(p.name)) {
			binary.LittleEndian.PutUint16(e[56+2*j:], c)
		}
	}
	return table
}

// mixedEndian is the form of a GUID on disk: its first three fields are little endian.
func mixedEndian(u uuid.UUID) []byte {
	return []byte{u[3], u[2], u[1], u[0], u[5], u[4], u[7], u[6], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]}
}
