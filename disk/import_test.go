package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot"
	"ingot.dev/ingot/internal/testenv"
)

// bootable is a disk of 3 MiB with something in it and holes.
func bootable() []byte {
	disk := withCode(gptDisk(6*1024, part{typeRootX86, "root", 100, 5000, ext4}))
	copy(disk[2<<20:], bytes.Repeat([]byte("content "), 20_000))
	return disk
}

func writeTemp(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func qemuImgTest(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img %q: %v: %s", args, err, out)
	}
}

// TestExportImport sends a disk through every format and back.
func TestExportImport(t *testing.T) {
	testenv.For(t, testenv.QEMU)
	ctx := context.Background()
	s := openTest(t)
	disk := bootable()
	if _, err := s.Import(ctx, testID(1), writeTemp(t, "disk", disk), FormatRaw); err != nil {
		t.Fatal(err)
	}
	check(t, s, testID(1), disk)
	before := storedBytes(t, s)
	for i, format := range []Format{FormatRaw, FormatQCOW2, FormatVMDK, FormatVHD} {
		dir := t.TempDir()
		path := filepath.Join(dir, "disk,a:b")
		if err := s.Export(ctx, testID(1), path, format); err != nil {
			t.Fatal(err)
		}
		if left := files(t, dir); len(left) != 1 {
			t.Errorf("Export to %s leaves %q", format, left)
		}
		id := testID(10 + i)
		snap, err := s.Import(ctx, id, path, "")
		if err != nil {
			t.Fatal(err)
		}
		if snap.SizeBytes != int64(len(disk)) {
			t.Errorf("%s came back with %d bytes, want %d", format, snap.SizeBytes, len(disk))
		}
		check(t, s, id, disk)
		if _, err := s.Import(ctx, testID(20+i), path, format); err != nil {
			t.Errorf("Import as %s: %v", format, err)
		}
	}
	if after := storedBytes(t, s); after != before {
		t.Errorf("the same disk again took %d bytes", after-before)
	}
	if left := files(t, s.tmpDir()); len(left) > 0 {
		t.Errorf("temporary files stay: %q", left)
	}
}

func TestImportVHDX(t *testing.T) {
	testenv.For(t, testenv.QEMU)
	s := openTest(t)
	disk := bootable()
	path := filepath.Join(t.TempDir(), "disk.vhdx")
	qemuImgTest(t, "convert", "-O", "vhdx", writeTemp(t, "raw", disk), path)
	if _, err := s.Import(context.Background(), testID(1), path, ""); err != nil {
		t.Fatal(err)
	}
	check(t, s, testID(1), disk)
}

// TestImportRefuses offers disk files that lie, point elsewhere or are none.
func TestImportRefuses(t *testing.T) {
	testenv.For(t, testenv.QEMU)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(path("raw"), bootable(), 0o600); err != nil {
		t.Fatal(err)
	}
	qemuImgTest(t, "create", "-q", "-f", "qcow2", "-b", path("raw"), "-F", "raw", path("backing"))
	qemuImgTest(t, "create", "-q", "-f", "qcow2", "-o", "data_file="+path("d")+",data_file_raw=on", path("datafile"), "1M")
	qemuImgTest(t, "create", "-q", "-f", "qcow2", "--object", "secret,id=s,data=x", "-o", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", path("luks"), "1M")
	qemuImgTest(t, "create", "-q", "-f", "qcow2", path("empty"), "1M")
	qemuImgTest(t, "create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", path("flat"), "1M")
	qemuImgTest(t, "convert", "-q", "-O", "vmdk", path("raw"), path("vmdk"))
	qemuImgTest(t, "create", "-q", "-f", "vmdk", "-b", path("vmdk"), "-F", "vmdk", path("vmdkparent"))
	qemuImgTest(t, "convert", "-q", "-O", "vpc", path("raw"), path("vhd"))
	patch := func(from, to string, change func(data []byte)) {
		data, err := os.ReadFile(path(from))
		if err != nil {
			t.Fatal(err)
		}
		change(data)
		if err := os.WriteFile(path(to), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	patch("empty", "huge", func(d []byte) { binary.BigEndian.PutUint64(d[24:], 1<<50) })
	patch("empty", "damaged", func(d []byte) { binary.BigEndian.PutUint64(d[40:], 7) })
	patch("empty", "qcow9", func(d []byte) { d[7] = 9 })
	patch("vmdk", "nocapacity", func(d []byte) { clear(d[12:20]) })
	patch("vhd", "diffvhd", func(d []byte) { d[63] = 4 })
	patch("raw", "text", func(d []byte) { copy(d, bytes.Repeat([]byte("just text\n"), len(d)/10)) })
	patch("raw", "short", func(d []byte) {})
	if err := os.Truncate(path("short"), 100); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(path("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		file   string
		format Format
		want   string
	}{
		{"backing", "", "needs a backing file"},
		{"datafile", "", "data in another file"},
		{"luks", "", "encrypted"},
		{"huge", "", "size of 1125899906842624 bytes"},
		{"damaged", "", "damaged"},
		{"qcow9", "", "version 9"},
		{"empty", "", "is no disk"},
		{"flat", "", "in other files"},
		{"vmdkparent", "", "needs another one"},
		{"nocapacity", "", "no data of its own"},
		{"diffvhd", "", "needs a parent disk"},
		{"text", "", "is no disk"},
		{"short", "", "too few for a disk"},
		{"pipe", "", "not a regular file"},
		{".", "", "not a regular file"},
		{"raw", FormatQCOW2, "is raw by its content, not qcow2"},
		{"backing", FormatRaw, "needs a backing file"},
		{"vhd", FormatRaw, "is vpc by its content, not raw"},
	}
	s := openTest(t)
	for _, tt := range tests {
		_, err := s.Import(context.Background(), testID(1), path(tt.file), tt.format)
		if ingot.ErrorCode(err) != ingot.CodeInvalid || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path(tt.file)) {
			t.Errorf("Import of %s as %q = %v, want CodeInvalid with %q and the path", tt.file, tt.format, err, tt.want)
		}
	}
	if _, err := s.Import(context.Background(), testID(1), path("missing"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Import of a missing file = %v", err)
	}
	if left := append(files(t, s.snapshotDir()), append(files(t, s.tmpDir()), files(t, s.blockDir())...)...); len(left) > 0 {
		t.Errorf("refused imports leave %q", left)
	}
}

func TestExportRefuses(t *testing.T) {
	s := openTest(t)
	d, all := testDisk(1, 1)
	put(t, s, testID(1), "", d, all)
	dir := t.TempDir()
	ctx := context.Background()
	if err := s.Export(ctx, testID(1), filepath.Join(dir, "x"), FormatVHDX); ingot.ErrorCode(err) != ingot.CodeInvalid {
		t.Errorf("Export to vhdx = %v, want CodeInvalid", err)
	}
	if err := s.Export(ctx, testID(2), filepath.Join(dir, "x"), FormatRaw); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("Export of a missing snapshot = %v, want CodeNotFound", err)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("refused exports leave %q", left)
	}
}

// TestRawOfOddSize rounds a file up to whole sectors.
func TestRawOfOddSize(t *testing.T) {
	s := openTest(t)
	disk := append(bootable(), "tail"...)
	snap, err := s.Import(context.Background(), testID(1), writeTemp(t, "disk", disk), "")
	if err != nil {
		t.Fatal(err)
	}
	want := append(disk, make([]byte, 508)...)
	if snap.SizeBytes != int64(len(want)) {
		t.Errorf("the snapshot has %d bytes, want %d", snap.SizeBytes, len(want))
	}
	check(t, s, testID(1), want)
}

func FuzzDetectFormat(f *testing.F) {
	for _, magic := range []string{"QFI\xfb\x00\x00\x00\x03", "KDMV\x01", "COWD", "# Disk DescriptorFile", "vhdxfile", "conectix"} {
		f.Add(append([]byte(magic), make([]byte, 600)...))
		f.Add(append(make([]byte, 1024), append([]byte(magic), make([]byte, 512-len(magic))...)...))
	}
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, data []byte) {
		format, err := DetectFormat(bytes.NewReader(data), int64(len(data)))
		if err == nil && format == FormatQCOW2 && binary.BigEndian.Uint64(data[8:]) != 0 {
			t.Error("a qcow2 with a backing file is let in")
		}
		if err == nil && format == FormatRaw && bytes.HasPrefix(data, []byte("QFI\xfb")) {
			t.Error("a qcow2 is taken for raw")
		}
	})
}
