package module

import (
	"os"
	"path/filepath"
	"testing"
)

// The scripts of a run share a folder, which no step finds anything in but
// its own script.
func TestScripts(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("TMP", os.Getenv("TMPDIR")) // Windows
	var s Scripts
	add := func() string {
		path, err := s.add(".sh", "echo")
		if err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
			t.Errorf("%s has %v, %v; want the script alone", filepath.Dir(path), left, err)
		}
		return path
	}
	remove := func(path string) {
		if err := s.remove(path); err != nil {
			t.Errorf("removing %s: %v", path, err)
		}
	}
	first := add()
	remove(first)
	second := add()
	if first == second || filepath.Dir(first) != filepath.Dir(second) {
		t.Errorf("scripts are %s and %s, want other names in the same folder", first, second)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(second), "left"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	remove(second) // the folder with what is left, too
	third := add()
	if err := os.RemoveAll(filepath.Dir(third)); err != nil {
		t.Fatal(err)
	}
	remove(third)
	remove(add())
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("left in the temporary directory: %v, %v", left, err)
	}
}
