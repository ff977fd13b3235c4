package disk

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ingot.dev/ingot"
	"ingot.dev/ingot/internal/testenv"
)

// edit is one write of a guest, as a command of qemu-io and what it does to
// the disk. Offsets and lengths are sectors.
type edit struct {
	verb      string // "write", "zero" or "discard"
	at, count int64
	pattern   byte
}

// command is the edit in the language of qemu-io.
func (e edit) command() string {
	at, count := e.at*sectorSize, e.count*sectorSize
	switch e.verb {
	case "zero":
		return fmt.Sprintf("write -z %d %d", at, count)
	case "discard":
		return fmt.Sprintf("discard %d %d", at, count)
	}
	return fmt.Sprintf("write -P %d %d %d", e.pattern, at, count)
}

// apply does the same to a disk in memory.
func (e edit) apply(disk []byte) {
	part := disk[e.at*sectorSize : (e.at+e.count)*sectorSize]
	if e.verb == "write" {
		copy(part, bytes.Repeat([]byte{e.pattern}, len(part)))
		return
	}
	clear(part)
}

// editsOf draws a guest's writes to a disk of some sectors. A discard covers
// whole clusters: of a part of one QEMU may keep the old bytes.
func editsOf(sectors int64) *rapid.Generator[[]edit] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) edit {
		e := edit{
			verb:    rapid.SampledFrom([]string{"write", "write", "zero", "discard"}).Draw(t, "verb"),
			at:      rapid.Int64Range(0, sectors-1).Draw(t, "at"),
			pattern: rapid.ByteRange(1, 5).Draw(t, "pattern"),
		}
		if e.verb == "discard" {
			const cluster = 128
			e.at = e.at / cluster * cluster
			e.count = min(sectors-e.at, cluster*rapid.Int64Range(1, 12).Draw(t, "clusters"))
			return e
		}
		e.count = rapid.Int64Range(1, min(sectors-e.at, 2000)).Draw(t, "count")
		return e
	}), 0, 6)
}

// guest does edits to an overlay and to its model.
func guest(t *testing.T, overlay string, disk []byte, edits []edit) {
	t.Helper()
	args := []string{"-f", "qcow2", "-d", "unmap"}
	for _, e := range edits {
		args = append(args, "-c", e.command())
		e.apply(disk)
	}
	out, err := exec.Command("qemu-io", append(args, overlay)...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "failed") {
		t.Fatalf("qemu-io %q: %v: %s", args, err, out)
	}
}

// TestGenerations runs guests on overlays of snapshots of overlays, some on a
// larger volume than their parent's, and reads each disk back bit for bit.
func TestGenerations(t *testing.T) {
	testenv.For(t, testenv.QEMU)
	ctx := context.Background()
	for seed := range 4 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := openTest(t)
			first, all := testDisk(3, 9)
			put(t, s, testID(0), "", first, all)
			disk := first.bytes()
			for gen := 1; gen <= 4; gen++ {
				overlay := filepath.Join(t.TempDir(), "disk.qcow2")
				disk = append(disk, make([]byte, gen%2*(BlockSize/2+1024))...)
				if err := s.Overlay(ctx, testID(gen-1), overlay, int64(len(disk))); err != nil {
					t.Fatal(err)
				}
				guest(t, overlay, disk, editsOf(int64(len(disk)/sectorSize)).Example(10*seed+gen))
				if gen%2 == 0 { // the snapshot needs neither the cache nor the backing file
					if err := os.Remove(overlay + baseSuffix); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := s.Snapshot(ctx, testID(gen), testID(gen-1), overlay); err != nil {
					t.Fatal(err)
				}
				check(t, s, testID(gen), disk)
				if err := s.Delete(ctx, testID(gen-1)); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestSnapshotStoresOnlyChanges counts the new blocks of a small write.
func TestSnapshotStoresOnlyChanges(t *testing.T) {
	testenv.For(t, testenv.QEMU)
	ctx := context.Background()
	s := openTest(t)
	first, all := testDisk(8, 1)
	put(t, s, testID(1), "", first, all)
	overlay := filepath.Join(t.TempDir(), "a,b:c.qcow2") // a path that option syntax would split
	if err := s.Overlay(ctx, testID(1), overlay, 0); err != nil {
		t.Fatal(err)
	}
	disk := first.bytes()
	guest(t, overlay, disk, []edit{
		{verb: "write", at: 100, count: 1, pattern: 7},            // block 0 in part
		{verb: "write", at: 3*1024 - 1, count: 2, pattern: 8},     // over the end of block 2
		{verb: "discard", at: 6 * 1024, count: 1024},              // block 6 becomes zeros
		{verb: "write", at: 5 * 1024, count: 1, pattern: disk[0]}, // block 5 too
	})
	before := len(files(t, s.blockDir()))
	snap, err := s.Snapshot(ctx, testID(2), testID(1), overlay)
	if err != nil {
		t.Fatal(err)
	}
	if snap.Blocks != 7 || snap.Parent != testID(1) {
		t.Errorf("Snapshot = %+v, want 7 blocks over %s", snap, testID(1))
	}
	if got := len(files(t, s.blockDir())) - before; got != 4 {
		t.Errorf("%d new blocks are stored, want 4", got)
	}
	changes, err := s.Diff(ctx, testID(1), testID(2))
	var indexes []uint32
	for _, c := range changes {
		indexes = append(indexes, c.Index)
	}
	if err != nil || !slices.Equal(indexes, []uint32{0, 2, 3, 5, 6}) {
		t.Errorf("Diff = %v, %v, want blocks 0 2 3 5 6", indexes, err)
	}
}

// TestParentDeleted deletes the parent while an instance of it runs.
func TestParentDeleted(t *testing.T) {
	testenv.For(t, testenv.QEMU)
	ctx := context.Background()
	s := openTest(t)
	first, all := testDisk(4, 1)
	put(t, s, testID(1), "", first, all)
	overlay := filepath.Join(t.TempDir(), "disk.qcow2")
	disk := append(first.bytes(), make([]byte, BlockSize)...)
	if err := s.Overlay(ctx, testID(1), overlay, int64(len(disk))); err != nil {
		t.Fatal(err)
	}
	guest(t, overlay, disk, []edit{
		{verb: "write", at: 1, count: 1, pattern: 7},
		{verb: "discard", at: 2 * 1024, count: 1024},
		{verb: "write", at: 4*1024 + 8, count: 8, pattern: 8},
	})
	if err := s.Delete(ctx, testID(1)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds the first
		if snap, err := s.Snapshot(ctx, testID(2), testID(1), overlay); err != nil || snap.Parent != testID(1) || snap.Blocks != 4 {
			t.Fatalf("Snapshot = %+v, %v, want 4 blocks of %s", snap, err, testID(1))
		}
	}
	check(t, s, testID(2), disk)
	if err := os.Remove(overlay + baseSuffix); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Snapshot(ctx, testID(3), testID(1), overlay); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("Snapshot without parent and backing file = %v, want CodeNotFound", err)
	}
}

// TestOverlayOutlivesCache takes away everything but the overlay's own files.
func TestOverlayOutlivesCache(t *testing.T) {
	testenv.For(t, testenv.QEMU)
	ctx := context.Background()
	s := openTest(t)
	first, all := testDisk(2, 1)
	put(t, s, testID(1), "", first, all)
	dir := t.TempDir()
	overlay := filepath.Join(dir, "disk.qcow2")
	if err := s.Overlay(ctx, testID(1), overlay, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.cacheDir); err != nil {
		t.Fatal(err)
	}
	raw := filepath.Join(dir, "raw")
	if out, err := exec.Command("qemu-img", "convert", "-f", "qcow2", "-O", "raw", overlay, raw).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got, err := os.ReadFile(raw)
	if err != nil || !bytes.Equal(got, first.bytes()) {
		t.Errorf("the overlay reads differently without the cache: %v", err)
	}
	if err := s.Overlay(ctx, testID(1), overlay, 0); err != nil {
		t.Errorf("an overlay that exists: %v", err)
	}
	for range 2 {
		if err := RemoveOverlay(overlay); err != nil {
			t.Errorf("RemoveOverlay = %v", err)
		}
	}
	if left := files(t, dir); !slices.Equal(left, []string{raw}) {
		t.Errorf("RemoveOverlay leaves %q", left)
	}
}

func TestOverlayOnAnotherFileSystem(t *testing.T) {
	testenv.For(t, testenv.QEMU)
	shm, err := os.MkdirTemp("/dev/shm", "ingot-disk-")
	if err != nil {
		t.Skipf("needs a second file system: %v", err)
	}
	defer os.RemoveAll(shm)
	s := openTest(t)
	first, all := testDisk(2, 1)
	put(t, s, testID(1), "", first, all)
	overlay := filepath.Join(shm, "disk.qcow2")
	if err := s.Overlay(context.Background(), testID(1), overlay, 0); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(overlay + baseSuffix)
	if err != nil || !bytes.Equal(got, first.bytes()) {
		t.Errorf("the backing file differs from the snapshot: %v", err)
	}
}

func TestOverlaySize(t *testing.T) {
	s := openTest(t)
	first, all := testDisk(2, 1)
	put(t, s, testID(1), "", first, all)
	for _, size := range []int64{1, first.size - 512, MaxSize + 512, -1} {
		err := s.Overlay(context.Background(), testID(1), filepath.Join(t.TempDir(), "o"), size)
		if ingot.ErrorCode(err) != ingot.CodeInvalid {
			t.Errorf("a volume of %d bytes: %v, want CodeInvalid", size, err)
		}
	}
}

// TestSnapshotRefuses offers what is no overlay of the parent.
func TestSnapshotRefuses(t *testing.T) {
	testenv.For(t, testenv.QEMU)
	ctx := context.Background()
	s := openTest(t)
	first, all := testDisk(2, 1)
	put(t, s, testID(1), "", first, all)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range map[string][]byte{"text": []byte("no disk"), "raw": first.bytes()} {
		if err := os.WriteFile(path(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"create", "-f", "qcow2", path("small"), "512"},
		{"convert", "-c", "-O", "qcow2", path("raw"), path("compressed")},
	} {
		if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for name, want := range map[string]string{
		"text": "Image is not in qcow2 format", "raw": "not in qcow2 format", "missing": "No such file",
		"small": "less than", "compressed": "is compressed",
	} {
		_, err := s.Snapshot(ctx, testID(2), testID(1), path(name))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Snapshot of %s = %v, want an error with %q", name, err, want)
		}
	}
	if n := len(files(t, s.snapshotDir())); n != 1 {
		t.Errorf("there are %d snapshots, want 1", n)
	}
}

func FuzzMap(f *testing.F) {
	f.Add([]byte(`[{"start":0,"length":65536,"depth":0,"present":true,"zero":false,"data":true,"offset":327680},
		{"start":65536,"length":983040,"depth":0,"present":false,"zero":true,"data":false}]`))
	f.Add([]byte(`[{"start":0,"length":65536,"present":true,"data":true}]`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		extents, size, err := decodeMap(bytes.NewReader(data))
		if err != nil {
			return
		}
		end := int64(0)
		for _, e := range extents {
			if e.Start < end || e.Length <= 0 || e.Start+e.Length > size || e.Data && e.Offset == nil {
				t.Fatalf("extent %+v of a disk of %d bytes, after %d", e, size, end)
			}
			end = e.Start + e.Length
		}
	})
}
