package disk

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A hundred sequences, rapid's default, take ten seconds; -rapid.checks asks for more.
func init() { flag.Set("rapid.checks", "30") }

func testID(n int) SnapshotID { return SnapshotID(fmt.Sprintf("snap-%017x", n)) }

// failer is what testing.T and rapid.T share.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// openTest opens a store in a folder of its own.
func openTest(t testing.TB) *Store {
	t.Helper()
	dir := t.TempDir()
	return openAt(t, filepath.Join(dir, "store"), filepath.Join(dir, "cache"))
}

func openAt(t failer, dir, cache string) *Store {
	t.Helper()
	s, err := Open(dir, cache)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func reopen(t failer, s *Store) *Store {
	t.Helper()
	return openAt(t, s.dir, s.cacheDir)
}

// memory is a disk in memory: the bytes of its blocks by index.
type memory struct {
	size   int64
	blocks map[uint32][]byte
}

// bytes is the whole disk.
func (d memory) bytes() []byte {
	all := make([]byte, blockCount(d.size)*BlockSize)
	for i, b := range d.blocks {
		copy(all[int64(i)*BlockSize:], b)
	}
	return all[:d.size]
}

// source offers the blocks whose indexes are given.
func (d memory) source(changed []uint32) source {
	read := func(i uint32, buf []byte) error {
		clear(buf[copy(buf, d.blocks[i]):])
		return nil
	}
	return source{size: d.size, blocks: changed, read: read}
}

// put stores the changed blocks of a disk over a parent.
func put(t failer, s *Store, id, parent SnapshotID, d memory, changed []uint32) Snapshot {
	t.Helper()
	snap, err := tryPut(s, id, parent, d.source(changed))
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func tryPut(s *Store, id, parent SnapshotID, src source) (Snapshot, error) {
	return s.create(context.Background(), id, parent, func() (_ source, err error) {
		src.base, src.close, err = s.hold(parent)
		return src, err
	})
}

// testDisk has n blocks that differ from each other and from those of other seeds.
func testDisk(n int, seed byte) (memory, []uint32) {
	d := memory{size: int64(n) * BlockSize, blocks: map[uint32][]byte{}}
	var all []uint32
	for i := range uint32(n) {
		d.blocks[i] = bytes.Repeat([]byte{seed, byte(i), 0xa5}, BlockSize/3)
		all = append(all, i)
	}
	return d, all
}

// check fails the test unless a snapshot reads as want, through the cache.
func check(t failer, s *Store, id SnapshotID, want []byte) {
	t.Helper()
	path, err := s.Materialise(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s reads back differently (%d bytes, want %d)", id, len(got), len(want))
	}
}

// storedBytes is the length of all files in the store's block folders.
func storedBytes(t failer, s *Store) int64 {
	t.Helper()
	var sum int64
	for _, f := range files(t, s.blockDir()) {
		st, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		sum += st.Size()
	}
	return sum
}

// files lists the regular files under a folder.
func files(t failer, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
