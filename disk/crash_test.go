package disk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot"
	"ingot.dev/ingot/internal/testenv"
)

// churn makes, materialises and deletes snapshots until it is killed.
func churn(t *testing.T, dir, cache string) {
	s := openAt(t, dir, cache)
	fmt.Println("opened")
	for i := 0; ; i++ {
		id := testID(i % 5)
		if err := s.Delete(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		d, all := testDisk(6, byte(1+i%3))
		put(t, s, id, "", d, all)
		if _, err := s.Materialise(context.Background(), id); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKill ends a busy store at random moments. What is left is whole
// snapshots, their blocks, and complete cached disks.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two seconds")
	}
	dir := t.TempDir()
	store, cache := filepath.Join(dir, "store"), filepath.Join(dir, "cache")
	for range 8 {
		child := helper(t, "churn", store, cache)
		if line := child.line(t); line != "opened" {
			t.Fatalf("the child says %q", line)
		}
		<-time.After(time.Duration(rand.IntN(120)) * time.Millisecond)
		child.kill(t)

		s := openAt(t, store, cache)
		snaps, err := s.List(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		used := map[string]bool{}
		for _, snap := range snaps {
			if err := s.Verify(context.Background(), snap.ID); err != nil {
				t.Error(err)
			}
			m, err := s.readManifest(snap.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range m.blocks {
				used[s.blockPath(b.digest)] = true
			}
			checkContent(t, s, snap.ID)
		}
		if n := len(files(t, s.blockDir())); n != len(used) {
			t.Errorf("%d blocks are stored, %d used", n, len(used))
		}
		if left := files(t, s.tmpDir()); len(left) > 0 {
			t.Errorf("temporary files stay: %q", left)
		}
	}
}

// checkContent checks that a disk of churn is one of those it makes.
func checkContent(t *testing.T, s *Store, id SnapshotID) {
	t.Helper()
	path, err := s.Materialise(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := testDisk(6, got[0])
	if got[0] == 0 || string(got) != string(d.bytes()) {
		t.Errorf("the cached disk of %s is not what was stored", id)
	}
}

// TestNoSpace fills a file system of 4 MiB: nothing half-made stays, the error
// says where, and the store goes on once there is room.
func TestNoSpace(t *testing.T) {
	testenv.For(t, testenv.Root, testenv.QEMU)
	dir := t.TempDir()
	if err := unix.Mount("ingot-test", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	ctx := context.Background()
	outside := openTest(t)
	s := openAt(t, filepath.Join(dir, "store"), filepath.Join(dir, "cache"))
	small, all := noise(2, 1)
	put(t, s, testID(1), "", small, all)
	put(t, outside, testID(1), "", small, all)
	before := files(t, dir)

	large, all := noise(10, 2)
	put(t, outside, testID(2), "", large, all)
	_, stored := tryPut(s, testID(2), "", large.source(all))
	_, materialised := openAt(t, outside.dir, filepath.Join(dir, "cache2")).Materialise(ctx, testID(2))
	for what, err := range map[string]error{
		"storing":        stored,
		"materialising":  materialised,
		"exporting raw":  outside.Export(ctx, testID(2), filepath.Join(dir, "x.raw"), FormatRaw),
		"exporting vmdk": outside.Export(ctx, testID(2), filepath.Join(dir, "x.vmdk"), FormatVMDK),
	} {
		if ingot.ErrorCode(err) != ingot.CodeUnavailable || !errors.Is(err, syscall.ENOSPC) ||
			!strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "MiB free") {
			t.Errorf("%s on a full disk = %v", what, err)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "cache2")); err != nil {
		t.Fatal(err)
	}
	if after := files(t, dir); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("files after the failures: %q, before: %q", after, before)
	}
	check(t, s, testID(1), small.bytes())
	if err := s.Delete(ctx, testID(1)); err != nil {
		t.Error(err)
	}
	other, all := noise(5, 3)
	put(t, s, testID(3), "", other, all)
	if err := s.Verify(ctx, testID(3)); err != nil {
		t.Error(err)
	}
}

// noise is a disk that does not compress.
func noise(n int, seed byte) (memory, []uint32) {
	d, all := testDisk(n, seed)
	r := rand.NewChaCha8([32]byte{seed})
	for _, b := range d.blocks {
		if _, err := r.Read(b); err != nil {
			panic(err) // ChaCha8 never fails
		}
	}
	return d, all
}
