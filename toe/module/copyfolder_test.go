package module_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// fill makes a tree of many small files in folders, and a few large ones.
func fill(b *testing.B, dir string) {
	b.Helper()
	small, large := make([]byte, 3000), make([]byte, 16<<20)
	for i := range small {
		small[i] = byte(i)
	}
	for i := range large {
		large[i] = byte(i)
	}
	for i := range 4000 {
		write(b, filepath.Join(dir, fmt.Sprint(i%200), fmt.Sprint(i)), string(small))
	}
	for i := range 8 {
		write(b, filepath.Join(dir, fmt.Sprint("large", i)), string(large))
	}
}

// BenchmarkCopyFolder is at most 1.2 times BenchmarkCp.
func BenchmarkCopyFolder(b *testing.B) {
	dir := b.TempDir()
	fill(b, filepath.Join(dir, "source"))
	for b.Loop() {
		if _, err := call(b, "CopyFolder", dir, entry{"source": "source", "destination": "copy"}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := os.RemoveAll(filepath.Join(dir, "copy")); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkCp(b *testing.B) {
	dir := b.TempDir()
	fill(b, filepath.Join(dir, "source"))
	for b.Loop() {
		if out, err := exec.Command("cp", "-a", filepath.Join(dir, "source"), filepath.Join(dir, "copy")).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		b.StopTimer()
		if err := os.RemoveAll(filepath.Join(dir, "copy")); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
