package base

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
)

var (
	sum256 = strings.Repeat("ab", 32)
	sum512 = strings.Repeat("cd", 64)
)

func TestParseChecksums(t *testing.T) {
	list := "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" +
		"# a comment\n" +
		sum256 + "  a.qcow2\n" +
		sum256 + " *b.img\r\n" +
		"SHA256 (c.qcow2) = " + sum256 + "\n" +
		"SHA512 (d.qcow2) = " + sum512 + "\n" +
		"MD5 (e.qcow2) = " + strings.Repeat("00", 16) + "\n" +
		strings.Repeat("00", 20) + "  weak.img\n" +
		sum256 + "  ../escape.img\n" +
		sum256 + "  query?.img\n"
	sums, err := parseChecksums(strings.NewReader(list))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range sums {
		got = append(got, s.file+" "+hex.EncodeToString(s.sum))
	}
	want := []string{"a.qcow2 " + sum256, "b.img " + sum256, "c.qcow2 " + sum256, "d.qcow2 " + sum512}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parseChecksums (-want +got):\n%s", diff)
	}
}

func TestChoose(t *testing.T) {
	sums := []checksum{{file: "os-1.qcow2"}, {file: "os-3.qcow2"}, {file: "os-2.qcow2"}, {file: "os-9.vhdx"}}
	got, err := choose(sums, "os-*.qcow2")
	if err != nil || got.file != "os-3.qcow2" {
		t.Errorf("choose = %q, %v; want os-3.qcow2", got.file, err)
	}
	if _, err := choose(sums, "other.img"); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("choose of an unlisted file = %v, want notFound", err)
	}
}

func FuzzParseChecksums(f *testing.F) {
	f.Add([]byte(sum256 + "  a.qcow2\n"))
	f.Add([]byte("SHA512 (d.qcow2) = " + sum512 + "\n"))
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"))
	f.Add([]byte(sum256 + "  ../../etc/passwd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sums, err := parseChecksums(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, s := range sums {
			if !isFileName(s.file) || s.hash().Size() != len(s.sum) {
				t.Errorf("parseChecksums(%q) accepts %q with %d bytes", data, s.file, len(s.sum))
			}
		}
	})
}

func TestUsedInodes(t *testing.T) {
	listing := "Inode count:              24\n" +
		"Group 0:\n  Free blocks: 12-20\n  Free inodes: 5, 7-8\n" +
		"Group 1:\n  Free inodes: 13-24\n" +
		"Group 2:\n  Free inodes: \n"
	got, err := usedInodes([]byte(listing))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4, 6, 9, 10, 11, 12}, got); diff != "" {
		t.Errorf("usedInodes (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "Inode count: 999999999999\n", "Inode count: 10\n  Free inodes: 5-11\n"} {
		if got, err := usedInodes([]byte(bad)); err == nil {
			t.Errorf("usedInodes(%q) = %v, want an error", bad, got)
		}
	}
}

func FuzzUsedInodes(f *testing.F) {
	f.Add([]byte("Inode count:              24\n  Free inodes: 5, 7-8\n"))
	f.Add([]byte("Inode count: 1\n  Free inodes: \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		used, err := usedInodes(data)
		if err != nil {
			return
		}
		for i := 1; i < len(used); i++ {
			if used[i] <= used[i-1] {
				t.Errorf("usedInodes(%q): %d after %d", data, used[i], used[i-1])
			}
		}
	})
}
