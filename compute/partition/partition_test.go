package partition_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/compute/partition"
)

const mib = 1 << 20

// gpt makes a disk of 16 MiB with entries of (type, first, last) at 1, 2, …
func gpt(entries ...[3]uint64) []byte {
	d := make([]byte, 16*mib)
	copy(d[512:], "EFI PART")
	binary.LittleEndian.PutUint64(d[512+72:], 2)
	binary.LittleEndian.PutUint32(d[512+80:], 128)
	binary.LittleEndian.PutUint32(d[512+84:], 128)
	for i, e := range entries {
		b := d[1024+128*i:]
		binary.LittleEndian.PutUint64(b, e[0])
		binary.LittleEndian.PutUint64(b[32:], e[1])
		binary.LittleEndian.PutUint64(b[40:], e[2])
	}
	return d
}

func put(d []byte, at int, s string) []byte { copy(d[at:], s); return d }

func TestRead(t *testing.T) {
	mbr := make([]byte, 16*mib)
	put(mbr, 510, "\x55\xaa")
	mbr[446+4] = 0x83
	binary.LittleEndian.PutUint32(mbr[446+8:], 2048)
	binary.LittleEndian.PutUint32(mbr[446+12:], 4096)
	put(mbr, mib, "XFSB")
	tests := map[string]struct {
		disk []byte
		want []partition.Partition
	}{
		"whole disk": {
			put(make([]byte, mib), 1080, "\x53\xef"),
			[]partition.Partition{{Size: mib, Kind: partition.Ext4}},
		},
		"mbr": {mbr, []partition.Partition{{Number: 1, Type: "0x83", Start: mib, Size: 2 * mib, Kind: partition.XFS}}},
		"gpt with a gap": {
			put(gpt([3]uint64{1, 2048, 4095}, [3]uint64{}, [3]uint64{0x0123456789abcdef, 4096, 8191}), 2*mib+65600, "_BHRfS_M"),
			[]partition.Partition{
				{Number: 1, Type: "00000001-0000-0000-0000-000000000000", Start: mib, Size: mib, Kind: partition.Unknown},
				{Number: 3, Type: "89abcdef-4567-0123-0000-000000000000", Start: 2 * mib, Size: 2 * mib, Kind: partition.Btrfs},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := partition.Read(bytes.NewReader(tt.disk), int64(len(tt.disk)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Read: -want +got\n%s", diff)
			}
		})
	}
}

func TestRootIsTheLargestOrTheTypedOne(t *testing.T) {
	d := gpt([3]uint64{1, 2048, 4095}, [3]uint64{2, 4096, 16383})
	put(d, mib+1080, "\x53\xef")
	put(d, 2*mib+1080, "\x53\xef")
	if p, err := partition.Root(bytes.NewReader(d), int64(len(d))); err != nil || p.Number != 2 {
		t.Errorf("Root = %+v, %v, want the larger partition 2", p, err)
	}
	put(d, 1024, "\xe3\xbc\x68\x4f\xcd\xe8\xb1\x4d\x96\xe7\xfb\xca\xf9\x84\xb7\x09")
	if p, err := partition.Root(bytes.NewReader(d), int64(len(d))); err != nil || p.Number != 1 {
		t.Errorf("Root = %+v, %v, want partition 1 for its type", p, err)
	}
}

func TestReadRefusesBrokenTables(t *testing.T) {
	beyond := gpt([3]uint64{1, 2048, 1 << 40})
	reversed := gpt([3]uint64{1, 4096, 2048})
	far := gpt()
	binary.LittleEndian.PutUint64(far[512+72:], 1<<60)
	for name, d := range map[string][]byte{"beyond the end": beyond, "reversed": reversed, "entries far away": far, "empty": nil} {
		if got, err := partition.Read(bytes.NewReader(d), int64(len(d))); err == nil {
			t.Errorf("%s: Read = %+v, want an error", name, got)
		}
	}
	empty := make([]byte, mib)
	if p, err := partition.Root(bytes.NewReader(empty), mib); !errors.Is(err, partition.ErrNoRoot) {
		t.Errorf("Root of zeros = %+v, %v, want ErrNoRoot", p, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(gpt([3]uint64{1, 2048, 4095})[:4096])
	f.Add(put(make([]byte, 4096), 510, "\x55\xaa"))
	f.Fuzz(func(t *testing.T, d []byte) {
		parts, err := partition.Read(bytes.NewReader(d), int64(len(d)))
		if err != nil {
			return
		}
		for _, p := range parts {
			if p.Start < 0 || p.Size <= 0 || p.Start+p.Size > int64(len(d)) {
				t.Errorf("partition %+v lies outside of a disk of %d bytes", p, len(d))
			}
		}
	})
}
