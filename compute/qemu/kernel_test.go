package qemu

import (
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

// Lines of Debian 12's modules.dep.
const dep = `kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_pci_modern_dev.ko kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_pci_modern_dev.ko:
kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
`

func TestLoadOrder(t *testing.T) {
	got, err := loadOrder(dep, "kernel/drivers/char/virtio-console.ko\n", needed, useful)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"kernel/drivers/virtio/virtio_ring.ko", "kernel/drivers/virtio/virtio.ko",
		"kernel/drivers/virtio/virtio_pci_modern_dev.ko", "kernel/drivers/virtio/virtio_pci.ko",
		"kernel/drivers/block/virtio_blk.ko.xz",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("loadOrder: -want +got\n%s", diff)
	}
	if _, err := loadOrder(dep, "", needed, useful); err == nil || !strings.Contains(err.Error(), "virtio_console") {
		t.Errorf("loadOrder without a console driver = %v, want an error that names it", err)
	}
	if _, err := loadOrder("virtio_pci.ko: "+strings.Join(manyFiles(100), " ")+"\n", "virtio_blk.ko\nvirtio_console.ko\n", needed, nil); err == nil {
		t.Error("loadOrder takes a hundred modules")
	}
}

func manyFiles(n int) []string {
	files := make([]string, n)
	for i := range files {
		files[i] = strings.Repeat("m", i+1) + ".ko"
	}
	return files
}

func FuzzLoadOrder(f *testing.F) {
	f.Add(dep, "kernel/drivers/char/virtio_console.ko\n")
	f.Add("a.ko: a.ko\n", "")
	f.Fuzz(func(t *testing.T, dep, builtin string) {
		order, err := loadOrder(dep, builtin, needed, useful)
		if err != nil {
			return
		}
		if len(order) > maxModules || len(slices.Compact(slices.Sorted(slices.Values(order)))) != len(order) {
			t.Errorf("loadOrder(%q, %q) = %q", dep, builtin, order)
		}
	})
}

func TestCompareReleases(t *testing.T) {
	ascending := []string{
		"5.10.0-9-amd64", "6.1.0-9-cloud-amd64", "6.1.0-56-amd64", "6.1.0-56-cloud-amd64", "6.12.3+deb13-amd64", "6.12.10-amd64",
	}
	for i, a := range ascending {
		for j, b := range ascending {
			got, want := compareReleases(a, b), i-j
			if got < 0 != (want < 0) || got > 0 != (want > 0) {
				t.Errorf("compareReleases(%q, %q) = %d, want the sign of %d", a, b, got, want)
			}
		}
	}
}

func TestCompareReleasesIsAnOrder(t *testing.T) {
	release := rapid.StringMatching(`[0-9]{1,3}(\.[0-9]{1,2}|-[a-z]{0,2}|0)*`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := release.Draw(t, "a"), release.Draw(t, "b"), release.Draw(t, "c")
		if compareReleases(a, b) != -compareReleases(b, a) {
			t.Errorf("compareReleases(%q, %q) and its inverse do not agree", a, b)
		}
		if compareReleases(a, b) <= 0 && compareReleases(b, c) <= 0 && compareReleases(a, c) > 0 {
			t.Errorf("%q <= %q <= %q but not %q <= %q", a, b, c, a, c)
		}
	})
}

func TestReadModule(t *testing.T) {
	want := []byte("\x7fELF a module")
	var gz, zst bytes.Buffer
	zw := gzip.NewWriter(&gz)
	zw.Write(want)
	zw.Close()
	enc, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	enc.Write(want)
	enc.Close()
	packed := map[string][]byte{"a/b-c.ko": want, "a/b-c.ko.gz": gz.Bytes(), "a/b-c.ko.zst": zst.Bytes()}
	if _, err := exec.LookPath("xz"); err == nil {
		cmd := exec.Command("xz", "-c")
		cmd.Stdin = bytes.NewReader(want)
		if packed["a/b-c.ko.xz"], err = cmd.Output(); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "module")
	for name, data := range packed {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := readModule(t.Context(), name, file)
		if err != nil || m.name != "b_c" || !bytes.Equal(m.data, want) {
			t.Errorf("readModule(%s) = %+v, %v", name, m, err)
		}
		if name == "a/b-c.ko" {
			continue
		}
		if err := os.WriteFile(file, []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readModule(t.Context(), name, file); err == nil {
			t.Errorf("readModule(%s) of garbage succeeds", name)
		}
	}
	if _, err := readModule(t.Context(), "x.ko.lz4", file); err == nil {
		t.Error("readModule(x.ko.lz4) succeeds")
	}
}
