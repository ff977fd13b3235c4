package container

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/computetest"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/internal/testenv"
)

// What a guest writes and deletes takes no room in its overlay, and so none in
// a snapshot.
func TestDeletedDataIsDiscarded(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.Base)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir, tag := t.TempDir(), computetest.NewTag()
	d := newDriver(t, dir, runtimeFolder(t, tag), tag)
	overlay := computetest.Overlay(t, dir)
	i, err := d.Launch(ctx, compute.Spec{ID: computetest.NewID(), Disk: overlay, CPUs: 1, MemoryMiB: 512, Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Sweep(context.WithoutCancel(ctx), nil); err != nil {
			t.Error(err)
		}
	}()
	c, err := i.Agent(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sh(ctx, t, c, "head -c 200M /dev/urandom > /var/big; sync; rm /var/big; sync")
	if s, err := i.Stop(ctx, time.Minute); err != nil || s.Phase != compute.PhaseOff {
		t.Fatalf("Stop = %+v, %v", s, err)
	}
	var st unix.Stat_t
	if err := unix.Stat(overlay, &st); err != nil {
		t.Fatal(err)
	}
	const limit = 100 << 20
	if used := st.Blocks * 512; used > limit {
		t.Errorf("the overlay takes %d MiB after 200 MiB were written and deleted", used>>20)
	} else {
		t.Logf("the overlay takes %d MiB", used>>20)
	}
}

// The root partition may hold any file system that can be idmapped and that
// the host's kernel has.
func TestFileSystems(t *testing.T) {
	testenv.For(t, testenv.Container)
	for fs, mkfs := range map[string][]string{
		"ext4":  {"mkfs.ext4", "-q"},
		"ext2":  {"mkfs.ext2", "-q"},
		"xfs":   {"mkfs.xfs", "-q"},
		"btrfs": {"mkfs.btrfs", "-q"},
	} {
		t.Run(fs, func(t *testing.T) {
			if _, err := exec.LookPath(mkfs[0]); err != nil {
				t.Skip(err)
			}
			p := &prober{ctx: t.Context()}
			p.mounted.mount = -1
			dir := t.TempDir()
			path := filepath.Join(dir, "disk.qcow2")
			if err := p.command("qemu-img", "create", "-q", "-f", "qcow2", path, "400M"); err != nil {
				t.Fatal(err)
			}
			makeFileSystem(t, p, path, mkfs)
			d, err := openDisk(t.Context(), path, dir)
			if err != nil {
				t.Fatal(err)
			}
			p.mounted = *d
			if detail, err := p.userNamespace(); err != nil {
				t.Errorf("idmapping %s: %s, %v", fs, detail, err)
			}
			if err := d.close(t.Context()); err != nil {
				t.Errorf("close: %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "disk.raw")); !os.IsNotExist(err) {
				t.Errorf("the raw file is still there: %v", err)
			}
		})
	}
}

func makeFileSystem(t *testing.T, p *prober, overlay string, mkfs []string) {
	t.Helper()
	raw := overlay + ".raw"
	e, err := disk.Expose(p.ctx, overlay, raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command(mkfs[0], append(mkfs[1:], raw)...); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(p.ctx); err != nil {
		t.Fatal(err)
	}
}
