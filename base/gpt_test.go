package base

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/disk"
)

// The reader of partition tables that instances are started with must find
// what we write.
func TestLayoutIsReadBack(t *testing.T) {
	l := newLayout(2 << 30)
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, l.size); err != nil {
		t.Fatal(err)
	}
	if err := l.write(path, testIdentity()); err != nil {
		t.Fatal(err)
	}
	got, err := disk.Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []disk.Partition{
		{Number: 1, Offset: l.bios.offset, Size: l.bios.length, Type: typeBIOSBoot.String(), Name: "bios"},
		{Number: 2, Offset: l.esp.offset, Size: l.esp.length, Type: typeESP.String(), Name: "esp"},
		{Number: 3, Offset: l.root.offset, Size: l.root.length, Type: typeRootX86.String(), Name: "root"},
	}
	if diff := cmp.Diff(want, got.Partitions); diff != "" {
		t.Errorf("partitions (-want +got):\n%s", diff)
	}
	if got.Root != 2 || got.Table != disk.TableGPT {
		t.Errorf("root = %d, table = %s; want 2, gpt", got.Root, got.Table)
	}
}

// Both copies of the table must agree: a firmware may use either.
func TestBackupTableMirrorsPrimary(t *testing.T) {
	ids := testIdentity()
	table := encodeTable([]partition{{extent{mib, mib}, typeBIOSBoot, ids.bios, "bios"}})
	primary := encodeHeader(table, ids.disk, 1, 4095, 2)
	backup := encodeHeader(table, ids.disk, 4095, 1, 4095-gptTable)
	for name, at := range map[string][2]int{"usable sectors": {40, 56}, "disk id": {56, 72}, "checksum of the table": {88, 92}} {
		if diff := cmp.Diff(primary[at[0]:at[1]], backup[at[0]:at[1]]); diff != "" {
			t.Errorf("%s differ:\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(primary[24:32], backup[32:40]); diff != "" {
		t.Errorf("the backup does not point at the primary:\n%s", diff)
	}
}
