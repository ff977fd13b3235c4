package dir

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"ingot.dev/ingot/blob"
	"ingot.dev/ingot/blob/blobtest"
)

func TestStore(t *testing.T) {
	root := t.TempDir()
	blobtest.Run(t, Store(filepath.Join(root, "objects")), "bucket")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if strings.HasPrefix(d.Name(), unfinished) {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestEveryKey: whatever the key, its file is below the bucket, and the key is
// found again.
func TestEveryKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := blob.Location{Bucket: "bucket", Key: rapid.StringOf(rapid.SampledFrom([]rune("a./%0 é"))).Draw(t, "key")}
		s := Store("/root")
		path, err := s.path(at)
		if err != nil {
			return // too long
		}
		if !strings.HasPrefix(path, "/root/bucket/") || filepath.Clean(path) != path {
			t.Fatalf("the file of %q is %s", at.Key, path)
		}
		if key := s.key("bucket", path); key != at.Key {
			t.Fatalf("the key of the file of %q is %q", at.Key, key)
		}
	})
}

func TestLongNames(t *testing.T) {
	s := Store(t.TempDir())
	_, err := s.Read(t.Context(), blob.Location{Bucket: "b", Key: strings.Repeat("x", 256)}, 1)
	if err == nil || !strings.Contains(err.Error(), "at most 255") {
		t.Errorf("Read = %v, want the bound", err)
	}
}

// TestReplaced: readers see one object or the other.
func TestReplaced(t *testing.T) {
	s, at := Store(t.TempDir()), blob.Location{Bucket: "b", Key: "replaced"}
	contents := []string{strings.Repeat("a", 100_000), strings.Repeat("b", 50_000)}
	var g errgroup.Group
	for i, content := range contents {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := s.Put(t.Context(), at, f); err != nil {
			t.Fatal(err)
		}
		g.Go(func() error {
			for range 20 {
				if err := s.Put(t.Context(), at, f); err != nil {
					return fmt.Errorf("%d: %w", i, err)
				}
				got, err := s.Read(t.Context(), at, 1<<20)
				if err != nil || !slices.Contains(contents, string(got)) {
					return fmt.Errorf("an object of %d bytes that nobody made: %w", len(got), err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}
