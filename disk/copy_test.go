package disk

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
)

func TestCopy(t *testing.T) {
	from, to := openTest(t), openTest(t)
	first, all := testDisk(4, 1)
	put(t, from, testID(1), "", first, all)
	if _, err := to.Copy(t.Context(), from, testID(1)); err != nil {
		t.Fatal(err)
	}
	check(t, to, testID(1), first.bytes())

	// Of a child, only the blocks that are not there are read.
	second := first.grown(0)
	second.blocks[2] = first.blocks[1]
	put(t, from, testID(2), testID(1), second, []uint32{2})
	if err := os.RemoveAll(from.blockDir()); err != nil {
		t.Fatal(err)
	}
	snap, err := to.Copy(t.Context(), from, testID(2))
	if err != nil || snap.Parent != testID(1) {
		t.Fatalf("Copy of a child whose blocks are all there = %+v, %v", snap, err)
	}
	check(t, to, testID(2), second.bytes())
	if again, err := to.Copy(t.Context(), from, testID(2)); err != nil || again != snap {
		t.Errorf("Copy again = %+v, %v; want %+v", again, err, snap)
	}
}

func TestCopyOfAnotherContent(t *testing.T) {
	from, to := openTest(t), openTest(t)
	one, all := testDisk(4, 1)
	other, _ := testDisk(4, 9)
	put(t, from, testID(1), "", one, all)
	put(t, to, testID(1), "", other, all)
	if _, err := to.Copy(t.Context(), from, testID(1)); ingot.ErrorCode(err) != ingot.CodeExists {
		t.Errorf("Copy over another snapshot of the id: %v, want CodeExists", err)
	}
	check(t, to, testID(1), other.bytes())
	if _, err := to.Copy(t.Context(), from, testID(7)); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("Copy of nothing: %v, want CodeNotFound", err)
	}
}

func TestFailedCopyLeavesNothing(t *testing.T) {
	from, to := openTest(t), openTest(t)
	d, all := testDisk(4, 1)
	put(t, from, testID(1), "", d, all)
	m, err := from.readManifest(testID(1))
	if err != nil {
		t.Fatal(err)
	}
	damaged := from.blockPath(m.blocks[len(m.blocks)-1].digest)
	if err := os.WriteFile(damaged, []byte("not a block"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := files(t, to.dir)
	if _, err := to.Copy(t.Context(), from, testID(1)); err == nil {
		t.Fatal("a damaged block was copied")
	}
	if diff := cmp.Diff(before, files(t, to.dir)); diff != "" {
		t.Errorf("files after a failed copy (-before +after):\n%s", diff)
	}
}
