package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/internal/testenv"
)

// part is a partition for a test disk. Its size is in sectors.
type part struct {
	kind       string // GPT type or MBR type
	name       string
	start, len uint64
	fs         map[int64]string // magic numbers by offset in the partition
}

var (
	ext4  = map[int64]string{1024 + 56: "\x53\xef", 1024 + 96: "\x40"}
	ext3  = map[int64]string{1024 + 56: "\x53\xef", 1024 + 92: "\x04"}
	xfs   = map[int64]string{0: "XFSB"}
	btrfs = map[int64]string{64<<10 + 64: "_BHRfS_M"}
	fat32 = map[int64]string{82: "FAT32   ", 510: "\x55\xaa"}
)

const linuxData = "0fc63daf-8483-4772-8e79-3d69d8477de4"

// onDisk is a GUID in the order of its bytes on disk.
func onDisk(guid string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(guid, "-", ""))
	if err != nil {
		panic(err) // a constant of this file
	}
	for _, field := range [][]byte{b[0:4], b[4:6], b[6:8]} {
		for i, j := 0, len(field)-1; i < j; i, j = i+1, j-1 {
			field[i], field[j] = field[j], field[i]
		}
	}
	return b
}

func magics(disk []byte, parts []part) {
	for _, p := range parts {
		for at, text := range p.fs {
			copy(disk[int64(p.start)*sectorSize+at:], text)
		}
	}
}

// gptDisk makes a disk with a GPT.
func gptDisk(sectors int, parts ...part) []byte {
	disk := make([]byte, sectors*sectorSize)
	disk[446+4] = mbrProtective
	disk[510], disk[511] = 0x55, 0xaa
	table := disk[2*sectorSize : 34*sectorSize]
	for i, p := range parts {
		e := table[i*128:]
		copy(e, onDisk(p.kind))
		e[16] = byte(i + 1)
		binary.LittleEndian.PutUint64(e[32:], p.start)
		binary.LittleEndian.PutUint64(e[40:], p.start+p.len-1)
		for j, c := range p.name {
			binary.LittleEndian.PutUint16(e[56+2*j:], uint16(c))
		}
	}
	h := disk[sectorSize : 2*sectorSize]
	copy(h, "EFI PART\x00\x00\x01\x00\x5c\x00\x00\x00")
	binary.LittleEndian.PutUint64(h[72:], 2)
	binary.LittleEndian.PutUint32(h[80:], 128)
	binary.LittleEndian.PutUint32(h[84:], 128)
	binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(table))
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
	magics(disk, parts)
	return disk
}

func putEntry(sector []byte, i int, kind byte, start, length uint32) {
	e := sector[446+16*i:]
	e[4] = kind
	binary.LittleEndian.PutUint32(e[8:], start)
	binary.LittleEndian.PutUint32(e[12:], length)
	sector[510], sector[511] = 0x55, 0xaa
}

// mbrDisk makes a disk with primary partitions.
func mbrDisk(sectors int, parts ...part) []byte {
	disk := make([]byte, sectors*sectorSize)
	for i, p := range parts {
		kind, err := hex.DecodeString(p.kind)
		if err != nil {
			panic(err) // a constant of this file
		}
		putEntry(disk, i, kind[0], uint32(p.start), uint32(p.len))
	}
	magics(disk, parts)
	return disk
}

// logicalDisk has an extended partition with two logical ones.
func logicalDisk() []byte {
	disk := mbrDisk(1000, part{kind: "83", start: 1, len: 99, fs: ext3}, part{kind: "05", start: 100, len: 900})
	putEntry(disk[100*sectorSize:], 0, 0x83, 10, 200)
	putEntry(disk[100*sectorSize:], 1, 0x05, 400, 500)
	putEntry(disk[500*sectorSize:], 0, 0x82, 10, 100)
	magics(disk, []part{{start: 110, fs: ext4}})
	return disk
}

func withCode(disk []byte) []byte {
	disk[0] = 0xeb
	return disk
}

func TestReadLayout(t *testing.T) {
	const k = sectorSize
	tests := []struct {
		name string
		disk []byte
		want Layout
	}{
		{
			"Debian", withCode(gptDisk(2000, part{typeBIOSBoot, "", 40, 10, nil}, part{typeESP, "esp", 50, 50, fat32}, part{typeRootX86, "root", 100, 900, ext4})),
			Layout{TableGPT, []Partition{
				{1, 40 * k, 10 * k, typeBIOSBoot, "", ""},
				{2, 50 * k, 50 * k, typeESP, "esp", "vfat"},
				{3, 100 * k, 900 * k, typeRootX86, "root", "ext4"},
			}, 2, []string{"bios", "uefi"}},
		},
		{
			"no typed root: the largest Linux file system", gptDisk(2000, part{linuxData, "boot", 40, 60, xfs}, part{linuxData, "", 100, 300, btrfs}, part{typeESP, "", 500, 900, fat32}),
			Layout{TableGPT, []Partition{
				{1, 40 * k, 60 * k, linuxData, "boot", "xfs"},
				{2, 100 * k, 300 * k, linuxData, "", "btrfs"},
				{3, 500 * k, 900 * k, typeESP, "", "vfat"},
			}, 1, []string{"uefi"}},
		},
		{"empty GPT", gptDisk(100), Layout{Table: TableGPT, Root: -1}},
		{
			"MBR", withCode(mbrDisk(500, part{kind: "83", start: 2, len: 400, fs: ext4})),
			Layout{TableMBR, []Partition{{1, 2 * k, 400 * k, "83", "", "ext4"}}, 0, []string{"bios"}},
		},
		{
			"MBR with an EFI system partition", mbrDisk(500, part{kind: "ef", start: 2, len: 100, fs: fat32}),
			Layout{TableMBR, []Partition{{1, 2 * k, 100 * k, "ef", "", "vfat"}}, -1, []string{"uefi"}},
		},
		{
			"logical partitions", logicalDisk(),
			Layout{TableMBR, []Partition{
				{1, k, 99 * k, "83", "", "ext3"},
				{5, 110 * k, 200 * k, "83", "", "ext4"},
				{6, 510 * k, 100 * k, "82", "", ""},
			}, 1, nil},
		},
		{
			"bare file system", func() []byte { d := make([]byte, 100*k); magics(d, []part{{fs: ext4}}); return d }(),
			Layout{TableNone, []Partition{{Size: 100 * k, FileSystem: "ext4"}}, 0, nil},
		},
		{
			"bare FAT, whose boot sector has the signature of an MBR", func() []byte {
				d := make([]byte, 100*k)
				magics(d, []part{{fs: fat32}})
				copy(d[430:], "Remove disks or other media.\xff\r\nPress any key")
				return d
			}(),
			Layout{TableNone, []Partition{{Size: 100 * k, FileSystem: "vfat"}}, -1, nil},
		},
		{"nothing known", make([]byte, k), Layout{TableNone, []Partition{{Size: k}}, -1, nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadLayout(bytes.NewReader(tt.disk), int64(len(tt.disk)))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("ReadLayout (-want +got):\n%s", d)
			}
		})
	}
}

func TestReadLayoutRefuses(t *testing.T) {
	root := part{kind: typeRootX86, start: 40, len: 50}
	// header changes a field of the GPT header and makes its sum right again.
	header := func(at int, value uint32) []byte {
		disk := gptDisk(100, root)
		h := disk[sectorSize : 2*sectorSize]
		binary.LittleEndian.PutUint32(h[at:], value)
		clear(h[16:20])
		binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
		return disk
	}
	flip := func(at int) []byte { d := gptDisk(100, root); d[at] ^= 1; return d }
	loop := mbrDisk(100, part{kind: "05", start: 10, len: 90})
	putEntry(loop[10*sectorSize:], 1, 0x05, 0, 90)
	tests := map[string]struct {
		disk []byte
		want string // part of the error
	}{
		"too short":            {make([]byte, 511), "reading the first sector"},
		"no header":            {gptDisk(100)[:sectorSize], "reading the GPT header"},
		"header magic":         {flip(sectorSize), "not followed by a GPT header"},
		"header sum":           {flip(sectorSize + 56), "checksum of the GPT header"},
		"header length":        {header(12, 1<<31), "a length of 2147483648 bytes"},
		"entries sum":          {flip(2*sectorSize + 60), "checksum of the GPT entries"},
		"too many entries":     {header(80, 1<<30), "claims 1073741824 entries"},
		"huge entries":         {header(84, 1<<30), "entries of 1073741824 bytes"},
		"entries beyond":       {header(72, 5000), "at sector 5000"},
		"entries over the end": {header(72, 99), "reading the GPT entries"},
		"partition beyond":     {gptDisk(100, part{kind: linuxData, start: 90, len: 20}), "beyond the disk's end"},
		"MBR beyond":           {mbrDisk(100, part{kind: "83", start: 90, len: 20}), "beyond the disk's end"},
		"extended beyond":      {mbrDisk(100, part{kind: "0f", start: 200, len: 20}), "extended partition table at sector 200"},
		"extended no record":   {mbrDisk(100, part{kind: "0f", start: 20, len: 20}), "has no signature"},
		"extended in a circle": {loop, "more than 128 records"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ReadLayout(bytes.NewReader(tt.disk), int64(len(tt.disk)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ReadLayout = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func FuzzReadLayout(f *testing.F) {
	chain := mbrDisk(8, part{kind: "0f", start: 2, len: 6})
	putEntry(chain[2*sectorSize:], 0, 0x83, 1, 1)
	putEntry(chain[2*sectorSize:], 1, 0x05, 3, 2)
	putEntry(chain[5*sectorSize:], 0, 0x82, 1, 1)
	f.Add(gptDisk(40, part{typeRootX86, "root", 34, 6, ext4}))
	f.Add(chain)
	f.Add(make([]byte, 2*sectorSize))
	f.Fuzz(func(t *testing.T, disk []byte) {
		fixSums(disk)
		size := int64(len(disk))
		l, err := ReadLayout(bytes.NewReader(disk), size)
		if err != nil {
			return
		}
		for _, p := range l.Partitions {
			if p.Offset < 0 || p.Size <= 0 || p.Offset+p.Size > size {
				t.Errorf("partition %+v is not in a disk of %d bytes", p, size)
			}
		}
		if l.Root >= len(l.Partitions) {
			t.Errorf("the root is partition %d of %d", l.Root, len(l.Partitions))
		}
	})
}

// fixSums makes the checksums of a GPT right, or the fuzzer never comes past them.
func fixSums(disk []byte) {
	if len(disk) < 34*sectorSize {
		return
	}
	h := disk[sectorSize : 2*sectorSize]
	if length := binary.LittleEndian.Uint32(h[80:]) * binary.LittleEndian.Uint32(h[84:]); length <= 32*sectorSize {
		binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(disk[2*sectorSize:][:length]))
	}
	clear(h[16:20])
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
}

// TestInspectSnapshot reads a layout whose parts lie in different blocks.
func TestInspectSnapshot(t *testing.T) {
	s := openTest(t)
	raw := gptDisk(4*BlockSize/sectorSize, part{typeRootX86, "root", 3*BlockSize/sectorSize - 2, 1000, ext4})
	d := memory{size: int64(len(raw)), blocks: map[uint32][]byte{}}
	all := []uint32{0, 1, 2, 3}
	for _, i := range all {
		d.blocks[i] = raw[i*BlockSize : (i+1)*BlockSize]
	}
	put(t, s, testID(1), "", d, all)
	want, err := ReadLayout(bytes.NewReader(raw), d.size)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Inspect(context.Background(), testID(1))
	if err != nil || got.Partitions[0].FileSystem != "ext4" {
		t.Errorf("Inspect = %+v, %v", got, err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Inspect (-raw +snapshot):\n%s", d)
	}
}

// TestInspectBase reads a disk that really boots.
func TestInspectBase(t *testing.T) {
	testenv.For(t, testenv.Base, testenv.QEMU)
	s := openTest(t)
	snap, err := s.Import(context.Background(), testID(1), testenv.BaseDisk(), "")
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Inspect(context.Background(), snap.ID)
	if err != nil || l.Root < 0 || l.Partitions[l.Root].FileSystem == "" || len(l.BootModes) == 0 {
		t.Errorf("Inspect = %+v, %v, want a root file system and a boot mode", l, err)
	}
}
