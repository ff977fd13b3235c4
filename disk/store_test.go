package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ingot.dev/ingot"
)

// TestAnySequence is the promise of the store: whatever happens to it, every
// snapshot reads back bit for bit, and the blocks on disk are exactly those
// that some snapshot uses.
func TestAnySequence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		m := &machine{store: openAt(t, filepath.Join(dir, "store"), filepath.Join(dir, "cache")), disks: map[SnapshotID]memory{}}
		rt.Repeat(rapid.StateMachineActions(m))
		if err := os.RemoveAll(dir); err != nil {
			rt.Fatal(err)
		}
	})
}

// machine is the store with what its snapshots should read as.
type machine struct {
	store *Store
	disks map[SnapshotID]memory
	made  int
}

// snapshot draws one of the snapshots there are.
func (m *machine) snapshot(t *rapid.T) SnapshotID {
	if len(m.disks) == 0 {
		t.Skip("no snapshots")
	}
	ids := make([]SnapshotID, 0, len(m.disks))
	for id := range m.disks {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return rapid.SampledFrom(ids).Draw(t, "id")
}

// Write makes a child of a snapshot, or a first one, with some blocks changed.
// There are few different contents, so blocks are shared and become zeros.
func (m *machine) Write(t *rapid.T) {
	parent, d := SnapshotID(""), memory{size: 3*BlockSize + 1536, blocks: map[uint32][]byte{}}
	if len(m.disks) > 0 && rapid.Bool().Draw(t, "child") {
		parent = m.snapshot(t)
		d = m.disks[parent].grown(rapid.SampledFrom([]int64{0, 512, BlockSize}).Draw(t, "growth"))
	}
	last := uint32(blockCount(d.size) - 1)
	changed := rapid.SliceOfNDistinct(rapid.Uint32Range(0, last), 0, 4, rapid.ID).Draw(t, "changed")
	slices.Sort(changed)
	for _, i := range changed {
		fill := rapid.SampledFrom([]byte{0, 1, 2, 3}).Draw(t, "fill")
		length := min(BlockSize, d.size-int64(i)*BlockSize)
		d.blocks[i] = []byte(strings.Repeat(string(fill), int(length)))
	}
	m.made++
	put(t, m.store, testID(m.made), parent, d, changed)
	m.disks[testID(m.made)] = d
}

// Delete checks that what Stat promised to be freed is what goes.
func (m *machine) Delete(t *rapid.T) {
	id := m.snapshot(t)
	u, err := m.store.Stat(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	before := storedBytes(t, m.store)
	if err := m.store.Delete(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	delete(m.disks, id)
	if freed := before - storedBytes(t, m.store); freed != u.OwnBytes {
		t.Fatalf("deleting %s freed %d bytes, Stat said %d", id, freed, u.OwnBytes)
	}
}

func (m *machine) Read(t *rapid.T) {
	id := m.snapshot(t)
	check(t, m.store, id, m.disks[id].bytes())
}

func (m *machine) Restart(t *rapid.T) { m.store = reopen(t, m.store) }

func (m *machine) LoseCache(t *rapid.T) {
	if err := os.RemoveAll(m.store.cacheDir); err != nil {
		t.Fatal(err)
	}
}

// Check runs after every step.
func (m *machine) Check(t *rapid.T) {
	used, uses := map[string]bool{}, 0
	for _, d := range m.disks {
		for i := range d.blocks {
			if content := strings.Trim(string(d.blocks[i]), "\x00"); content != "" {
				used[content] = true
				uses++
			}
		}
	}
	if got := len(files(t, m.store.blockDir())); got != len(used) {
		t.Fatalf("%d blocks are stored, %d are used", got, len(used))
	}
	if c := m.store.Counts(); c.Blocks != len(used) || c.Uses != uses {
		t.Fatalf("Counts() = %+v, want %d blocks with %d uses", c, len(used), uses)
	}
	if left := files(t, m.store.tmpDir()); len(left) > 0 {
		t.Fatalf("temporary files stay: %q", left)
	}
}

// grown is a copy of a disk that is larger by n bytes.
func (d memory) grown(n int64) memory {
	blocks := map[uint32][]byte{}
	for i, b := range d.blocks {
		blocks[i] = b
	}
	return memory{size: d.size + n, blocks: blocks}
}

func TestSnapshotIsIdempotent(t *testing.T) {
	s := openTest(t)
	d, all := testDisk(2, 1)
	first := put(t, s, testID(1), "", d, all)
	again, err := tryPut(s, testID(1), "", source{size: 1, read: func(uint32, []byte) error { return errors.New("read again") }})
	if err != nil || !cmp.Equal(first, again) {
		t.Errorf("the same id again = %v, %v, want %v", again, err, first)
	}
	put(t, s, testID(2), testID(1), d, nil)
	if _, err := tryPut(s, testID(2), "", d.source(all)); ingot.ErrorCode(err) != ingot.CodeExists {
		t.Errorf("the same id with another parent: %v, want CodeExists", err)
	}
}

func TestFailedSnapshotLeavesNothing(t *testing.T) {
	s := openTest(t)
	parent, all := testDisk(3, 1)
	put(t, s, testID(1), "", parent, all)
	before := files(t, s.dir)
	d, all := testDisk(20, 2)
	src := d.source(all)
	read := src.read
	broken := errors.New("the disk broke")
	src.read = func(i uint32, buf []byte) error {
		if i == 15 {
			return broken
		}
		return read(i, buf)
	}
	if _, err := tryPut(s, testID(2), testID(1), src); !errors.Is(err, broken) {
		t.Fatalf("create = %v, want %v", err, broken)
	}
	if d := cmp.Diff(before, files(t, s.dir)); d != "" {
		t.Errorf("files after the failure (-before +after):\n%s", d)
	}
	check(t, s, testID(1), parent.bytes())
}

func TestMissingParent(t *testing.T) {
	s := openTest(t)
	d, all := testDisk(1, 1)
	if _, err := tryPut(s, testID(2), testID(1), d.source(all)); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("a snapshot of a missing parent: %v, want CodeNotFound", err)
	}
}

func TestIDsAreChecked(t *testing.T) {
	s := openTest(t)
	ctx := context.Background()
	for _, id := range []SnapshotID{"", "snap-1", "../../etc/passwd", "snap-0123456789abcdef0/..", "SNAP-0123456789abcdef0"} {
		if _, err := s.Find(id); ingot.ErrorCode(err) != ingot.CodeInvalid {
			t.Errorf("Find(%q) = %v, want CodeInvalid", id, err)
		}
		if err := s.Delete(ctx, id); ingot.ErrorCode(err) != ingot.CodeInvalid {
			t.Errorf("Delete(%q) = %v, want CodeInvalid", id, err)
		}
		if _, err := s.Snapshot(ctx, testID(1), id, "/dev/null"); ingot.ErrorCode(err) != ingot.CodeInvalid {
			t.Errorf("Snapshot of %q = %v, want CodeInvalid", id, err)
		}
		if _, err := s.Import(ctx, id, "/dev/null", ""); ingot.ErrorCode(err) != ingot.CodeInvalid {
			t.Errorf("Import(%q) = %v, want CodeInvalid", id, err)
		}
	}
}

// TestDamage flips a bit of a stored block: every way to read it says which
// block of which snapshot, and no disk is made of it.
func TestDamage(t *testing.T) {
	for name, damage := range map[string]func(data []byte) []byte{
		"flipped":   func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"truncated": func(b []byte) []byte { return b[:len(b)/2] },
		"empty":     func(b []byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := openTest(t)
			d, all := testDisk(4, 1)
			put(t, s, testID(1), "", d, all)
			m, err := s.readManifest(testID(1))
			if err != nil {
				t.Fatal(err)
			}
			bad := m.blocks[2]
			data, err := os.ReadFile(s.blockPath(bad.digest))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.blockPath(bad.digest), damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			_, materialised := s.Materialise(context.Background(), testID(1))
			for way, err := range map[string]error{
				"Verify":      s.Verify(context.Background(), testID(1)),
				"Materialise": materialised,
				"Export":      s.Export(context.Background(), testID(1), filepath.Join(t.TempDir(), "x"), FormatRaw),
			} {
				if err == nil || !strings.Contains(err.Error(), bad.digest.String()) || !strings.Contains(err.Error(), string(testID(1))) {
					t.Errorf("%s = %v, want an error that names block and snapshot", way, err)
				}
			}
			if left := files(t, s.cacheDir); len(left) != 1 { // the boot id
				t.Errorf("the cache holds %q", left)
			}
		})
	}
}

func TestDamagedManifestStopsOpen(t *testing.T) {
	s := openTest(t)
	d, all := testDisk(1, 1)
	put(t, s, testID(1), "", d, all)
	if err := os.Truncate(s.manifestPath(testID(1)), 10); err != nil {
		t.Fatal(err)
	}
	_, err := Open(s.dir, s.cacheDir)
	if err == nil || !strings.Contains(err.Error(), s.manifestPath(testID(1))) {
		t.Errorf("Open = %v, want an error that names the manifest", err)
	}
	if n := len(files(t, s.blockDir())); n != 1 {
		t.Errorf("%d blocks are left, want 1: nothing may be swept on a doubt", n)
	}
}

// TestOpenSweeps lays out what a crash can leave at each point of a snapshot
// and of a deletion.
func TestOpenSweeps(t *testing.T) {
	s := openTest(t)
	d, all := testDisk(2, 1)
	put(t, s, testID(1), "", d, all)
	want := files(t, s.dir)
	for _, path := range []string{
		filepath.Join(s.tmpDir(), "block-123"),            // killed while a block was written
		s.blockPath(Digest{7}),                            // ... before the manifest; or in Delete, after it
		filepath.Join(s.blockDir(), "ab", "no-block"),     //
		filepath.Join(s.cacheDir, "snap-x.raw-123"),       // killed while a disk was materialised
		s.cachedPath(testID(9)),                           // killed in Delete, before the cached disk
		filepath.Join(s.tmpDir(), "export-1", "disk.raw"), // killed in Export
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = reopen(t, s)
	if d := cmp.Diff(want, files(t, s.dir)); d != "" {
		t.Errorf("files after Open (-want +got):\n%s", d)
	}
	if left := files(t, s.cacheDir); len(left) != 1 {
		t.Errorf("the cache holds %q, want only the boot id", left)
	}
	check(t, s, testID(1), d.bytes())
}

func TestStat(t *testing.T) {
	s := openTest(t)
	ctx := context.Background()
	a, all := testDisk(4, 1)
	put(t, s, testID(1), "", a, all)
	b, _ := testDisk(4, 2)
	b.blocks[0] = b.blocks[1] // the same block twice counts once
	put(t, s, testID(2), testID(1), b, []uint32{0, 1})
	u1, err1 := s.Stat(ctx, testID(1))
	u2, err2 := s.Stat(ctx, testID(2))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if total := storedBytes(t, s); u1.StoredBytes+u2.OwnBytes != total || u2.StoredBytes+u1.OwnBytes != total {
		t.Errorf("Stat = %+v and %+v, but %d bytes are stored", u1, u2, total)
	}
	changes, err := s.Diff(ctx, testID(1), testID(2))
	if err != nil || len(changes) != 2 || changes[0].Index != 0 || changes[1].B != changes[0].B {
		t.Errorf("Diff = %v, %v, want blocks 0 and 1", changes, err)
	}
	list, err := s.List(ctx)
	if err != nil || len(list) != 2 || list[1].Parent != testID(1) || list[1].Blocks != 4 {
		t.Errorf("List = %+v, %v", list, err)
	}
}

// TestIDUsedAgain gives an id to other disks while others read it: what is
// materialised is never of an earlier one.
func TestIDUsedAgain(t *testing.T) {
	s := openTest(t)
	ctx, cancel := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.Materialise(ctx, testID(1)); err != nil && ctx.Err() == nil && ingot.ErrorCode(err) != ingot.CodeNotFound {
					t.Error(err)
				}
			}
		})
	}
	for i := range 30 {
		d, all := testDisk(2, byte(i+1))
		put(t, s, testID(1), "", d, all)
		check(t, s, testID(1), d.bytes())
		if err := s.Delete(context.Background(), testID(1)); err != nil {
			t.Error(err)
		}
	}
	cancel()
	readers.Wait()
	if left := files(t, s.cacheDir); len(left) != 1 {
		t.Errorf("the cache holds %q, want only the boot id", left)
	}
}

// TestCacheIsBounded keeps the disks used last.
func TestCacheIsBounded(t *testing.T) {
	s := openTest(t)
	s.MaxCached = 2
	for i := range 4 {
		d, all := testDisk(1, byte(i+1))
		put(t, s, testID(i), "", d, all)
		check(t, s, testID(i), d.bytes())
		first, _ := testDisk(1, 1)
		check(t, s, testID(0), first.bytes())
	}
	want := []string{filepath.Join(s.cacheDir, bootFile), s.cachedPath(testID(0)), s.cachedPath(testID(3))}
	if d := cmp.Diff(want, files(t, s.cacheDir)); d != "" {
		t.Errorf("the cache (-want +got):\n%s", d)
	}
	// Another boot of the host: the files may be incomplete.
	if err := os.WriteFile(filepath.Join(s.cacheDir, bootFile), []byte("earlier"), 0o600); err != nil {
		t.Fatal(err)
	}
	reopen(t, s)
	if left := files(t, s.cacheDir); len(left) != 1 {
		t.Errorf("the cache holds %q after a boot, want only the boot id", left)
	}
}

// TestConcurrentUse makes and deletes snapshots that share blocks.
func TestConcurrentUse(t *testing.T) {
	s := openTest(t)
	ctx := context.Background()
	base, all := testDisk(4, 1)
	put(t, s, testID(1), "", base, all)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			d, _ := testDisk(4, byte(2+i%2))
			for range 5 {
				id := testID(10 + i)
				put(t, s, id, testID(1), d, []uint32{0, 1})
				if err := s.Verify(ctx, id); err != nil {
					t.Error(err)
				}
				if _, err := s.Materialise(ctx, id); err != nil {
					t.Error(err)
				}
				if err := s.Delete(ctx, id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(files(t, s.blockDir())); n != 4 {
		t.Errorf("%d blocks are left, want the 4 of the base", n)
	}
	check(t, s, testID(1), base.bytes())
}
