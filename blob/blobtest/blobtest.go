// Package blobtest is the suite of every object store.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/blob"
)

// Run checks a store, in a bucket that has no objects.
func Run(t *testing.T, s blob.Store, bucket string) {
	b := bench{t, s, bucket}
	b.Run("objects", b.objects)
	b.Run("keys", b.keys)
	b.Run("lists", b.lists)
	b.Run("large", b.large)
	b.Run("refused", b.refused)
}

type bench struct {
	*testing.T
	store  blob.Store
	bucket string
}

func (b bench) at(key string) blob.Location { return blob.Location{Bucket: b.bucket, Key: key} }

// put makes an object of a file of this content.
func put(ctx context.Context, s blob.Store, at blob.Location, dir string, content []byte) error {
	f, err := os.CreateTemp(dir, "")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return s.Put(ctx, at, f)
}

func (b bench) put(t *testing.T, key, content string) {
	t.Helper()
	if err := put(t.Context(), b.store, b.at(key), t.TempDir(), []byte(content)); err != nil {
		t.Fatal(err)
	}
}

func (b bench) want(t *testing.T, key, content string) {
	t.Helper()
	if got, err := b.store.Read(t.Context(), b.at(key), 1<<20); err != nil || string(got) != content {
		t.Errorf("Read(%q) = %.40q, %v; want %.40q", key, got, err, content)
	}
}

func (b bench) objects(t *testing.T) {
	b.put(t, "one/two/three.log", "hello")
	b.want(t, "one/two/three.log", "hello")
	b.put(t, "one/two/three.log", "")
	b.want(t, "one/two/three.log", "")
	b.put(t, "one/two/three.log", "12345")
	if _, err := b.store.Read(t.Context(), b.at("one/two/three.log"), 4); !errors.Is(err, blob.ErrTooLarge) {
		t.Errorf("Read of a longer object = %v, want %v", err, blob.ErrTooLarge)
	}
	for _, key := range []string{"one/two/four", "one/two", "nothing"} {
		if _, err := b.store.Read(t.Context(), b.at(key), 4); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("Read(%q) = %v, want %v", key, err, blob.ErrNotFound)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := put(ctx, b.store, b.at("cancelled"), t.TempDir(), []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Put after the end of its context = %v", err)
	}
}

// keys that are no ordinary paths.
func (b bench) keys(t *testing.T) {
	for i, key := range []string{"keys/with space", "keys/plus+&=?#%25%zz", "keys/ä/本", "keys/…", "keys/a.b/.hidden"} {
		content := fmt.Sprint(i)
		b.put(t, key, content)
		b.want(t, key, content)
		if got, err := b.store.List(t.Context(), b.at(key), 10); err != nil || len(got) != 1 || got[0].Key != key {
			t.Errorf("List(%q) = %v, %v", key, got, err)
		}
	}
}

func (b bench) lists(t *testing.T) {
	for _, key := range []string{"list/b/2", "list/a", "list/b/1", "list/b-1", "listing"} {
		b.put(t, key, key)
	}
	for prefix, want := range map[string][]string{
		"list/":   {"list/a", "list/b-1", "list/b/1", "list/b/2"},
		"list/b/": {"list/b/1", "list/b/2"},
		"list/b":  {"list/b-1", "list/b/1", "list/b/2"},
		"lis":     {"list/a", "list/b-1", "list/b/1", "list/b/2", "listing"},
		"none/":   nil,
	} {
		list, err := b.store.List(t.Context(), b.at(prefix), 5)
		if err != nil {
			t.Error(err)
		}
		var got []string
		for _, o := range list {
			if int(o.Size) != len(o.Key) {
				t.Errorf("%s has %d bytes, want %d", o.Key, o.Size, len(o.Key))
			}
			got = append(got, o.Key)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("List(%q) (-want +got):\n%s", prefix, diff)
		}
	}
	if _, err := b.store.List(t.Context(), b.at("list/"), 3); err == nil {
		t.Error("a list longer than its limit has no error")
	}
}

// large is longer than what is sent at once.
func (b bench) large(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcde\n"), 12<<20/16)
	if err := put(t.Context(), b.store, b.at("large"), t.TempDir(), content); err != nil {
		t.Fatal(err)
	}
	got, err := b.store.Read(t.Context(), b.at("large"), int64(len(content)))
	if err != nil || sha256.Sum256(got) != sha256.Sum256(content) {
		t.Errorf("Read = %d bytes, %v; want %d", len(got), err, len(content))
	}
}

func (b bench) refused(t *testing.T) {
	for _, at := range []blob.Location{{Key: "key"}, {Bucket: "..", Key: "key"}, {Bucket: "a/b", Key: "key"}, b.at("\xff"), b.at("a\x00b")} {
		if err := put(t.Context(), b.store, at, t.TempDir(), nil); err == nil {
			t.Errorf("Put(%q) has no error", at)
		}
		if _, err := b.store.Read(t.Context(), at, 1); err == nil || errors.Is(err, blob.ErrNotFound) {
			t.Errorf("Read(%q) = %v", at, err)
		}
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := b.store.Put(t.Context(), b.at("unreadable"), f); err == nil {
		t.Error("Put of a file that cannot be read has no error")
	}
}
