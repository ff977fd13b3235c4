package guest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const dpkgStatus = `Package: base-files
Status: install ok installed
Architecture: amd64
Version: 12.4+deb12u5
Description: Debian base system miscellaneous files
 Version: not a field
 .

Package: libc6
Status: install ok installed
Source: glibc (2.36-9)
Version: 2.36-9+deb12u4
Architecture: amd64

Package: gone
Status: deinstall ok config-files
Version: 1
Architecture: all
`

func TestParseStatus(t *testing.T) {
	got, err := parseStatus(strings.NewReader(dpkgStatus))
	if err != nil {
		t.Fatal(err)
	}
	want := []Package{
		{Name: "base-files", Version: "12.4+deb12u5", Arch: "amd64"},
		{Name: "libc6", Version: "2.36-9+deb12u4", Arch: "amd64", Source: "glibc"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

func TestParseRPM(t *testing.T) {
	out := "bash\t0:5.2.26-3.fc40\tx86_64\tbash-5.2.26-3.fc40.src.rpm\n" +
		"shadow-utils\t2:4.15-1\tx86_64\tshadow-utils-4.15-1.src.rpm\n" +
		"gpg-pubkey\t0:a-b\t(none)\t(none)\nbroken line\n"
	want := []Package{
		{Name: "bash", Version: "5.2.26-3.fc40", Arch: "x86_64", Source: "bash-5.2.26-3.fc40"},
		{Name: "shadow-utils", Version: "2:4.15-1", Arch: "x86_64", Source: "shadow-utils-4.15-1"},
	}
	if diff := cmp.Diff(want, parseRPM([]byte(out))); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add(dpkgStatus)
	f.Add("Package:\n\n: x\nStatus: installed")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseStatus(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, p := range list {
			if p.Name == "" || strings.Contains(p.Name, "\n") {
				t.Fatalf("package without a proper name in %q: %+v", text, p)
			}
		}
	})
}

func TestPrettyName(t *testing.T) {
	root := t.TempDir()
	if got := prettyName(root); got != "" {
		t.Errorf("without os-release: %q", got)
	}
	if err := os.MkdirAll(filepath.Join(root, "usr/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
	if err := os.WriteFile(filepath.Join(root, "usr/lib/os-release"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, want := prettyName(root), "Debian GNU/Linux 12 (bookworm)"; got != want {
		t.Errorf("prettyName = %q, want %q", got, want)
	}
}
