package base

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func archive(t *testing.T, headers ...*tar.Header) *bytes.Buffer {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range headers {
		h.Format = tar.FormatPAX
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte(h.Name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &buf
}

func TestUnpack(t *testing.T) {
	when := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	dir := filepath.Join(t.TempDir(), "root")
	got, err := unpack(archive(t,
		&tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755, ModTime: when},
		&tar.Header{Typeflag: tar.TypeDir, Name: "./var/", Mode: 0o2555, Gid: 50, ModTime: when},
		&tar.Header{
			Typeflag: tar.TypeReg, Name: "./var/ping", Mode: 0o4711, Uid: 7, ModTime: when,
			PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00"},
		},
		&tar.Header{Typeflag: tar.TypeSymlink, Name: "./link", Linkname: "/absolute", ModTime: when},
		&tar.Header{Typeflag: tar.TypeLink, Name: "./hard", Linkname: "./var/ping", ModTime: when},
		&tar.Header{Typeflag: tar.TypeChar, Name: "./null", Mode: 0o666, ModTime: when},
	), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := tree{
		dir:    dir,
		owners: map[string]owner{"/var": {0, 50}, "/var/ping": {7, 0}},
		xattrs: map[string]map[string][]byte{"/var/ping": {"security.capability": {1, 0}}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(tree{}, owner{})); diff != "" {
		t.Errorf("unpack (-want +got):\n%s", diff)
	}
	modes := map[string]os.FileMode{
		"var":      os.ModeDir | os.ModeSetgid | 0o555,
		"var/ping": os.ModeSetuid | 0o711,
		"hard":     os.ModeSetuid | 0o711,
	}
	for name, mode := range modes {
		st, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode() != mode || !st.ModTime().Equal(when) {
			t.Errorf("%s has %v of %v, want %v of %v", name, st.Mode(), st.ModTime(), mode, when)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "null")); !os.IsNotExist(err) {
		t.Errorf("the device node was unpacked: %v", err)
	}
	if err := removeTree(dir); err != nil {
		t.Errorf("removing the tree: %v", err)
	}
}

func TestUnpackStaysInside(t *testing.T) {
	for name, headers := range map[string][]*tar.Header{
		"parent":       {{Typeflag: tar.TypeReg, Name: "../escaped", Mode: 0o644}},
		"through link": {{Typeflag: tar.TypeSymlink, Name: "out", Linkname: ".."}, {Typeflag: tar.TypeReg, Name: "out/escaped", Mode: 0o644}},
		"hard link":    {{Typeflag: tar.TypeLink, Name: "in", Linkname: "../secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			work := t.TempDir()
			if err := os.WriteFile(filepath.Join(work, "secret"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := unpack(archive(t, headers...), filepath.Join(work, "root")); err == nil {
				t.Error("unpack accepted the archive")
			}
			if _, err := os.Lstat(filepath.Join(work, "escaped")); !os.IsNotExist(err) {
				t.Errorf("a file outside of the tree: %v", err)
			}
		})
	}
}
