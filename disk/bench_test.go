package disk

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"ingot.dev/ingot/internal/testenv"
)

// The unit of every rate is bytes of disk, before compression.

// BenchmarkSHA256 is the limit of one core: nothing below can be faster per core.
func BenchmarkSHA256(b *testing.B) {
	data := fill(BlockSize)
	b.SetBytes(BlockSize)
	for b.Loop() {
		sha256.Sum256(data)
	}
}

// BenchmarkCompress is one core packing what no snapshot has yet.
func BenchmarkCompress(b *testing.B) {
	s := openTest(b)
	data, packed := fill(BlockSize), make([]byte, 0, BlockSize)
	b.SetBytes(BlockSize)
	for b.Loop() {
		packed = s.enc.EncodeAll(data, packed[:0])
	}
	b.ReportMetric(float64(BlockSize)/float64(len(packed)), "ratio")
}

// BenchmarkSnapshot stores 50 MiB that a guest wrote, all of it new.
func BenchmarkSnapshot(b *testing.B) {
	testenv.For(b, testenv.QEMU)
	ctx := context.Background()
	s, overlay := changedOverlay(b)
	b.SetBytes(changedBytes)
	for b.Loop() {
		if _, err := s.Snapshot(ctx, testID(2), testID(1), overlay); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Delete(ctx, testID(2)); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkSnapshotKnown stores the same when all blocks are there already: it
// maps, reads and hashes.
func BenchmarkSnapshotKnown(b *testing.B) {
	testenv.For(b, testenv.QEMU)
	ctx := context.Background()
	s, overlay := changedOverlay(b)
	if _, err := s.Snapshot(ctx, testID(3), testID(1), overlay); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(changedBytes)
	for b.Loop() {
		if _, err := s.Snapshot(ctx, testID(2), testID(1), overlay); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Delete(ctx, testID(2)); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkMaterialise makes the raw disk of a snapshot of 256 MiB.
func BenchmarkMaterialise(b *testing.B) {
	ctx := context.Background()
	s := openTest(b)
	d, all := filledDisk(256 << 20)
	put(b, s, testID(1), "", d, all)
	b.SetBytes(d.size)
	for b.Loop() {
		if _, err := s.Materialise(ctx, testID(1)); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.dropCached(ctx, testID(1)); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkOverlay makes an instance's disk of a snapshot that is in the cache.
func BenchmarkOverlay(b *testing.B) {
	testenv.For(b, testenv.QEMU)
	ctx := context.Background()
	s := openTest(b)
	d, all := testDisk(16, 1)
	put(b, s, testID(1), "", d, all)
	overlay := filepath.Join(b.TempDir(), "disk.qcow2")
	for b.Loop() {
		if err := s.Overlay(ctx, testID(1), overlay, 0); err != nil {
			b.Fatal(err)
		}
		if err := RemoveOverlay(overlay); err != nil {
			b.Fatal(err)
		}
	}
}

const changedBytes = 50 << 20

// changedOverlay is an overlay in which a guest wrote the first 50 MiB of 128.
func changedOverlay(b *testing.B) (*Store, string) {
	b.Helper()
	s := openTest(b)
	d, all := testDisk(256, 1)
	put(b, s, testID(1), "", d, all)
	overlay := filepath.Join(b.TempDir(), "disk.qcow2")
	if err := s.Overlay(context.Background(), testID(1), overlay, 0); err != nil {
		b.Fatal(err)
	}
	data := filepath.Join(b.TempDir(), "data")
	if err := os.WriteFile(data, fill(changedBytes), 0o600); err != nil {
		b.Fatal(err)
	}
	out, err := exec.Command("qemu-io", "-f", "qcow2", "-c", fmt.Sprintf("write -s %s 0 %d", data, changedBytes), overlay).CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return s, overlay
}

// filledDisk is a disk whose blocks are those of fill.
func filledDisk(size int64) (memory, []uint32) {
	d, all := testDisk(int(size/BlockSize), 1)
	data := fill(size)
	for _, i := range all {
		d.blocks[i] = data[int64(i)*BlockSize:][:BlockSize]
	}
	return d, all
}

// fill is data that compresses about three to one, as programs do: words of a
// small vocabulary among noise.
func fill(n int64) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := make([][]byte, 4096)
	for i := range words {
		words[i] = make([]byte, 4+r.IntN(28))
		for j := range words[i] {
			words[i][j] = byte(r.Uint32())
		}
	}
	data := make([]byte, 0, n+64)
	for int64(len(data)) < n {
		data = append(data, words[r.IntN(len(words))]...)
		data = append(data, byte(r.Uint32()))
	}
	return data[:n]
}
