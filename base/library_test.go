package base

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/catalog"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/region"
	"ingot.dev/ingot/sqlite"
)

var today = time.Date(2026, 12, 24, 10, 0, 0, 0, time.UTC)

func newLibrary(t *testing.T) *Library {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "ingot.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := region.Open(filepath.Join(dir, "regions"), filepath.Join(dir, "cache"), db).Region("us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	l := &Library{Store: db, Region: r, Now: func() time.Time { return today }}
	if err := catalog.Sync(t.Context(), db, "us-east-1", today); err != nil {
		t.Fatal(err)
	}
	return l
}

// writeDisk makes a disk with partitions to boot from; content tells disks apart.
func writeDisk(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLayout(128 * mib)
	if err := os.Truncate(path, l.size); err != nil {
		t.Fatal(err)
	}
	if err := l.write(path, testIdentity()); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(content), l.root.offset); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// parent is the AMI that a recipe whose parent is the newest image of a name gets.
func parent(t *testing.T, l *Library, name string) (string, string) {
	t.Helper()
	arn, err := ingot.ParseARN("arn:aws:imagebuilder:us-east-1:aws:image/" + name + "/x.x.x")
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Store.Resolve(t.Context(), arn, string(model.ImageStatusAvailable))
	if err != nil {
		t.Fatal(err)
	}
	image, err := ingot.Decode[model.Image](r)
	if err != nil {
		t.Fatal(err)
	}
	if len(image.OutputResources.Amis) == 0 {
		return image.Version, ""
	}
	return image.Version, image.OutputResources.Amis[0].Image
}

func TestAddMakesAParent(t *testing.T) {
	l := newLibrary(t)
	if version, ami := parent(t, l, "debian-12-x86"); version != "2026.11.21/1" || ami != "" {
		t.Fatalf("before: version %s with AMI %q, want 2026.11.21/1 without", version, ami)
	}
	got, err := l.Add(t.Context(), Disk{Name: "debian-12", Path: writeDisk(t, "one")})
	if err != nil {
		t.Fatal(err)
	}
	version, id := parent(t, l, "debian-12-x86")
	if version != "2026.12.24/1" || id != got.AMI.ID {
		t.Errorf("parent = %s with %s, want 2026.12.24/1 with %s", version, id, got.AMI.ID)
	}
	ami, err := l.Store.FindAMI(t.Context(), ingot.Scope{Account: "123456789012", Region: "us-east-1"}, id)
	if err != nil {
		t.Fatalf("another account does not see the base: %v", err)
	}
	want := ingot.AMI{
		Scope: ingot.Scope{Account: "aws", Region: "us-east-1"}, ID: id, Snapshot: ami.Snapshot,
		Name: "debian-12-x86-2026.12.24", Description: "Debian 12 x86", Architecture: "x86_64", Platform: "Linux",
		OSVersion: "Debian 12", DefaultUser: "admin", BootModes: []string{"bios", "uefi"}, SizeBytes: 128 * mib,
		ImageARN: "arn:aws:imagebuilder:us-east-1:aws:image/debian-12-x86/2026.12.24",
		Tags:     map[string]string{"ingot:base": "debian-12-x86"}, Created: today,
	}
	if diff := cmp.Diff(want, ami); diff != "" {
		t.Errorf("AMI (-want +got):\n%s", diff)
	}
}

func TestAddAgain(t *testing.T) {
	l := newLibrary(t)
	path := writeDisk(t, "one")
	first, err := l.Add(t.Context(), Disk{Name: "debian-12-x86", Path: path})
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.Add(t.Context(), Disk{Name: "debian-12-x86", Path: path})
	if err != nil || again.AMI.ID != first.AMI.ID {
		t.Errorf("the same disk again = %s, %v; want %s", again.AMI.ID, err, first.AMI.ID)
	}
	if version, _ := parent(t, l, "debian-12-x86"); version != "2026.12.24/1" {
		t.Errorf("version = %s, want no new build", version)
	}
	other, err := l.Add(t.Context(), Disk{Name: "debian-12-x86", Path: writeDisk(t, "two")})
	if err != nil {
		t.Fatal(err)
	}
	if version, ami := parent(t, l, "debian-12-x86"); version != "2026.12.24/2" || ami != other.AMI.ID {
		t.Errorf("another disk: parent = %s with %s, want 2026.12.24/2 with %s", version, ami, other.AMI.ID)
	}
}

func TestAddRefuses(t *testing.T) {
	l := newLibrary(t)
	text := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(text, []byte("no disk\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data.raw") // an ESP-less table without anything to boot
	writeDataDisk(t, data)
	for name, d := range map[string]Disk{
		"no disk":     {Name: "debian-12-x86", Path: text},
		"not a name":  {Name: "../x", Path: text},
		"container":   {Name: "amazon-linux-x86-2", Path: text},
		"no bootable": {Name: "debian-12-x86", Path: data},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := l.Add(t.Context(), d); ingot.ErrorCode(err) != ingot.CodeInvalid {
				t.Errorf("Add = %v, want invalid", err)
			}
		})
	}
	left, err := l.Region.Disks.List(t.Context())
	if err != nil || len(left) != 0 {
		t.Errorf("snapshots left = %v, %v; want none", left, err)
	}
}

func writeDataDisk(t *testing.T, path string) {
	t.Helper()
	ids := testIdentity()
	table := encodeTable([]partition{{extent{mib, mib}, typeRootX86, ids.root, "data"}})
	last := int64(4*mib/sector - 1)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for lba, data := range map[int64][]byte{0: protectiveMBR(last), 1: encodeHeader(table, ids.disk, 1, last, 2), 2: table} {
		if _, err := f.WriteAt(data, lba*sector); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(4 * mib); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRemove(t *testing.T) {
	l := newLibrary(t)
	if err := l.Remove(t.Context(), "debian-12"); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("Remove without a disk = %v, want notFound", err)
	}
	for _, content := range []string{"one", "two"} {
		for _, name := range []string{"debian-12-x86", "my-own"} {
			if _, err := l.Add(t.Context(), Disk{Name: name, Path: writeDisk(t, content)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Remove(t.Context(), "debian-12"); err != nil {
		t.Fatal(err)
	}
	if version, ami := parent(t, l, "debian-12-x86"); ami != "" {
		t.Errorf("parent = %s with %s, want none", version, ami)
	}
	if got := withDisk(t, l); !cmp.Equal(got, []string{"my-own"}) {
		t.Errorf("bases with a disk = %v, want my-own", got)
	}
	snapshots, err := l.Region.Disks.List(context.Background())
	if err != nil || len(snapshots) != 2 {
		t.Errorf("%d snapshots, %v; want the two of my-own", len(snapshots), err)
	}
}

func withDisk(t *testing.T, l *Library) []string {
	t.Helper()
	bases, err := l.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(bases) < len(catalog.Images()) {
		t.Errorf("List has %d bases, the catalogue %d", len(bases), len(catalog.Images()))
	}
	var names []string
	for _, b := range bases {
		if b.AMI.ID != "" {
			names = append(names, b.Name)
		}
	}
	return names
}
