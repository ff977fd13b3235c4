package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
)

// TestFullDisk runs a server on a file system that is too small for a base,
// then for a build: each ends in an error that names the place, the server
// answers all the time, and freed space is all that the next build needs.
func TestFullDisk(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.QEMU, testenv.Base)
	p := newProcess(t)
	if err := unix.Mount("tmpfs", p.settings.Data, "tmpfs", 0, "size=4g"); err != nil {
		t.Fatalf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if p.cmd != nil {
			p.stop()
		}
		if err := unix.Unmount(p.settings.Data, unix.MNT_DETACH); err != nil {
			t.Errorf("unmounting the small file system: %v", err)
		}
	})
	p.start()
	filler := filepath.Join(p.settings.Data, "filler")

	p.leave(filler, 64<<20)
	_, err := admin.Call[admin.BaseAdd, admin.Base](t.Context(), p.Admin, "base/add",
		admin.BaseAdd{Name: "debian-12-x86", Path: testenv.BaseDisk()}, nil)
	if err == nil {
		t.Fatal("a base was stored in 64 MiB")
	}
	wantAll(t, err.Error(), []string{p.settings.Data, "no space left on device"})
	// The server goes on: it takes a recipe while the disk is full.
	fill := bash("build", "head -c 1500000000 /dev/urandom > /root/large; sync; rm /root/large")
	job := p.recipe("full", model.CreateInfrastructureConfigurationRequest{}, fill)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	p.importBase()

	p.leave(filler, 600<<20)
	got := p.await(p.createImage(job, false))
	if got.State.Status != model.ImageStatusFailed {
		t.Errorf("on a full disk %s is %s, want FAILED", got.Arn, got.State.Status)
	}
	wantAll(t, got.State.Reason, []string{p.settings.Data, "no space left on device"})
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	good := p.recipe("room", model.CreateInfrastructureConfigurationRequest{}, bash("build", "true"))
	if got := p.await(p.createImage(good, false)); got.State.Status != model.ImageStatusAvailable {
		t.Errorf("with room again %s is %s: %s", got.Arn, got.State.Status, got.State.Reason)
	}
	for _, left := range p.leftovers() {
		if !strings.HasSuffix(left, "tmpfs tmpfs rw,size=4194304k") { // our own mount
			t.Errorf("left behind: %s", left)
		}
	}
}

// leave fills the file system of the file filler but for so many bytes.
func (p *process) leave(filler string, free int64) {
	p.t.Helper()
	f, err := os.Create(filler)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		p.t.Fatal(err)
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(fs.Bavail)*fs.Bsize-free); err != nil {
		p.t.Fatalf("filling the file system: %v", err)
	}
}
