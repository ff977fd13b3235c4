package qemu

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/compute/qemu/initramfs"
	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/guest/agentbin"
)

// rootOffset is where newDisk puts the file system, in bytes.
const rootOffset = 1 << 20

// newDisk makes a raw disk with an MBR and one ext4 partition that holds files.
func newDisk(t *testing.T, files map[string]string) string {
	t.Helper()
	mkfs := findTool("mkfs.ext4", "e2fsprogs")
	if !mkfs.OK || !findTool("debugfs", "e2fsprogs").OK {
		t.Skip("needs mkfs.ext4 and debugfs: apt-get install e2fsprogs")
	}
	tree := t.TempDir()
	for name, text := range files {
		path := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	disk := filepath.Join(t.TempDir(), "disk, raw.img")
	const size = 64 << 20
	mbr := make([]byte, size)
	mbr[446+4], mbr[510], mbr[511] = 0x83, 0x55, 0xaa
	binary.LittleEndian.PutUint32(mbr[446+8:], rootOffset/512)
	binary.LittleEndian.PutUint32(mbr[446+12:], (size-rootOffset)/512)
	if err := os.WriteFile(disk, mbr, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(mkfs.Detail, "-q", "-d", tree, "-E", "offset=1048576", disk, "60000k").CombinedOutput()
	if err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	return disk
}

// read copies a file out of the disk's file system.
func read(t *testing.T, root ext4, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "file")
	if err := root.dump(t.Context(), []copyFile{{path, to}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestExt4(t *testing.T) {
	root, part, err := findRoot(newDisk(t, map[string]string{"boot/vmlinuz-1": "kernel", "boot/a b": "x", "boot/a;b": "y"}))
	if err != nil || part.Number != 1 || root.offset != rootOffset {
		t.Fatalf("findRoot = %+v, %+v, %v, want partition 1 at %d", root, part, err, rootOffset)
	}
	got, err := root.list(t.Context(), "/boot")
	if err != nil {
		t.Fatal(err)
	}
	want := []entry{{"vmlinuz-1", 6}} // names that no kernel has are not seen
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{})); diff != "" {
		t.Errorf("list: -want +got\n%s", diff)
	}
	if got := read(t, root, "/boot/vmlinuz-1"); got != "kernel" {
		t.Errorf("dump = %q, want kernel", got)
	}
	if got, err := root.list(t.Context(), "/none"); err != nil || len(got) != 0 {
		t.Errorf("list of a missing folder = %v, %v, want nothing", got, err)
	}
	to := filepath.Join(t.TempDir(), "x")
	if err := root.dump(t.Context(), []copyFile{{"/none", to}}); err == nil {
		t.Error("dump of a missing file succeeds")
	}
	if err := root.dump(t.Context(), []copyFile{{"/boot/a\nrm /boot", to}}); err == nil {
		t.Error("dump takes a name with a line feed for a name")
	}
}

func TestFindRootNamesTheFileSystem(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "xfs.raw")
	if err := os.WriteFile(disk, append([]byte("XFSB"), make([]byte, 1<<20)...), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := findRoot(disk)
	var noExt4 errNoExt4
	if !errors.As(err, &noExt4) || noExt4.found != "xfs" {
		t.Errorf("findRoot = %v, want an error that names xfs", err)
	}
}

func TestFindKernel(t *testing.T) {
	files := map[string]string{
		"boot/vmlinuz-6.1.0-9-amd64": "old", "boot/vmlinuz-6.1.0-10-amd64": "new", "boot/vmlinuz-7.0.0": "no modules",
		"lib/modules/6.1.0-9-amd64/modules.dep": "-", "lib/modules/6.1.0-10-amd64/modules.dep": "-",
	}
	root, _, err := findRoot(newDisk(t, files))
	if err != nil {
		t.Fatal(err)
	}
	got, err := findKernel(t.Context(), root)
	if want := (kernel{"6.1.0-10-amd64", "/boot/vmlinuz-6.1.0-10-amd64"}); err != nil || got != want {
		t.Errorf("findKernel = %+v, %v, want %+v", got, err, want)
	}
	bare, _, err := findRoot(newDisk(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := findKernel(t.Context(), bare); err == nil || !strings.Contains(err.Error(), "firmware") {
		t.Errorf("findKernel without a kernel = %v, want an error with a remedy", err)
	}
}

func TestReadModulesAndInitrd(t *testing.T) {
	const base = "lib/modules/6.1/"
	root, _, err := findRoot(newDisk(t, map[string]string{
		base + "modules.dep":     "k/virtio.ko:\nk/virtio_pci.ko: k/virtio.ko\n",
		base + "modules.builtin": "k/virtio_blk.ko\nk/virtio_console.ko\n",
		base + "k/virtio.ko":     "VIRTIO", base + "k/virtio_pci.ko": "PCI",
	}))
	if err != nil {
		t.Fatal(err)
	}
	modules, err := readModules(t.Context(), root, "6.1", t.TempDir())
	want := []module{{"virtio", []byte("VIRTIO")}, {"virtio_pci", []byte("PCI")}}
	if diff := cmp.Diff(want, modules, cmp.AllowUnexported(module{})); err != nil || diff != "" {
		t.Fatalf("readModules: %v, -want +got\n%s", err, diff)
	}
	initrd := filepath.Join(t.TempDir(), "initrd")
	cfg := initramfs.Config{Root: "/dev/vda1", FSType: "ext4", Agent: guest.AgentConfig{Channel: AgentPort, Token: "s"}}
	if err := writeInitrd(initrd, cfg, modules); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(initrd)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Modules = []string{"/modules/00-virtio.ko", "/modules/01-virtio_pci.ko"}
	config, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"modules/00-virtio.ko\x00", "VIRTIO", "ingot.json\x00", string(config), "init\x00"} {
		if !bytes.Contains(text, []byte(part)) {
			t.Errorf("the initrd lacks %q", part)
		}
	}
	if info, err := os.Stat(initrd); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the initrd = %v, %v: it holds the token", info.Mode(), err)
	}
}

func TestInjectAgent(t *testing.T) {
	disk := newDisk(t, map[string]string{"etc/systemd/system/other.service": "x", "etc/systemd/system/sysinit.target.wants/other.service": "x"})
	work := t.TempDir()
	for _, token := range []string{"first", "second"} { // the second start replaces what the first wrote
		markDirty(t, disk)
		if err := injectAgent(t.Context(), disk, work, token); err != nil {
			t.Fatal(err)
		}
	}
	root, _, err := findRoot(disk)
	if err != nil {
		t.Fatal(err)
	}
	program, err := agentbin.Program("linux", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, root, "/.ingot/agent"); got != string(program) {
		t.Errorf("the agent has %d bytes, want %d", len(got), len(program))
	}
	if got := read(t, root, "/.ingot/agent.json"); !strings.Contains(got, `"token":"second"`) {
		t.Errorf("agent.json = %s, want the second token", got)
	}
	out, err := root.run(t.Context(), false, []string{
		"stat /.ingot/agent", "stat /.ingot/agent.json", "stat /etc/systemd/system/sysinit.target.wants/ingot-agent.service",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"Mode:  0700", "Mode:  0600", "User:     0", `"../ingot-agent.service"`} {
		if !strings.Contains(out, part) {
			t.Errorf("stat lacks %q:\n%s", part, out)
		}
	}
	fsck(t, root)
	if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
		t.Errorf("left in the work folder: %v, %v", left, err)
	}
}

// markDirty makes a file system look as if its machine had been switched off.
func markDirty(t *testing.T, disk string) {
	t.Helper()
	root := ext4{disk, rootOffset}
	if _, err := root.run(t.Context(), true, []string{"feature needs_recovery"}); err != nil {
		t.Fatal(err)
	}
	if dirty, err := root.needsReplay(); err != nil || !dirty {
		t.Fatalf("needsReplay = %v, %v, want true", dirty, err)
	}
}

func fsck(t *testing.T, root ext4) {
	t.Helper()
	cmd := exec.Command("prlimit", "e2fsck", "-f", "-n", root.name())
	cmd.Env = toolEnv()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("e2fsck: %v\n%s", err, out)
	}
}

func TestInjectAgentNeedsSystemd(t *testing.T) {
	if err := injectAgent(t.Context(), newDisk(t, nil), t.TempDir(), "t"); !errors.Is(err, errNoSystemd) {
		t.Errorf("injectAgent = %v, want errNoSystemd", err)
	}
}

func FuzzParseList(f *testing.F) {
	f.Add("debugfs: ls -p /boot\n/13/040755/0/0/.//\n/19/100644/0/0/vmlinuz-6.1/14186432/\n")
	f.Add("/1/2/3/4/../5/\n/1/2/3/4/a b/5/\n")
	f.Fuzz(func(t *testing.T, out string) {
		for _, e := range parseList(out) {
			if !safePath.MatchString("/"+e.name) || strings.Contains(e.name, "/") {
				t.Errorf("parseList(%q) lets %q through", out, e.name)
			}
		}
	})
}
