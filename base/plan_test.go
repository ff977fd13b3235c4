package base

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestPlan holds every command line and every file of a bootstrap.
func TestPlan(t *testing.T) {
	b := &builder{
		Recipe:  Recipe{Name: "debian-12-x86", Suite: "bookworm", Packages: []string{"systemd-repart"}},
		Options: Options{Out: "/out/debian-12.raw", Date: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), Size: DefaultSize},
		work:    "/work",
		ids:     testIdentity(),
	}
	layout := newLayout(b.Size)
	var plan strings.Builder
	fmt.Fprintf(&plan, "mmdebstrap\n  %s\n", strings.Join(b.mmdebstrapArgs(), "\n  "))
	fmt.Fprintf(&plan, "mkfs.ext4\n  %s\n", strings.Join(b.mkfsArgs("/work/disk.raw", layout.root, "/work/root"), "\n  "))
	fmt.Fprintf(&plan, "layout\n  %+v\n", layout)
	fmt.Fprintf(&plan, "early.cfg\n%s", indent(earlyConfig(b.ids)))
	files := b.overlay()
	files["etc/fstab"] = []byte(fstab(b.ids))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&plan, "/%s\n%s", name, indent(string(files[name])))
	}
	golden(t, "plan.golden", plan.String())
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n  ") + "\n"
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update rewrites it:\n%s", path, diff)
	}
}
