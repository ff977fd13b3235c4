package qemu_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/computetest"
	"ingot.dev/ingot/compute/qemu"
	"ingot.dev/ingot/compute/shim"
	"ingot.dev/ingot/internal/testenv"
)

func TestMain(m *testing.M) {
	os.Exit(computetest.Main(m, map[string]shim.Machine{compute.KindQEMU: qemu.Machine{}}))
}

// bootLimit is for a boot under emulation on a loaded machine.
const bootLimit = 4 * time.Minute

func TestDriver(t *testing.T) {
	testenv.For(t, testenv.QEMU, testenv.Base)
	computetest.Run(t, computetest.Suite{
		New: func(t *testing.T, dir, runtime, tag string) compute.Driver {
			// Emulation works everywhere, and what it shows holds for KVM.
			return newDriver(t, qemu.Config{Dir: dir, Runtime: runtime, Tag: tag, Accel: qemu.AccelTCG})
		},
		Boot: bootLimit,
	})
}

// newDriver makes a driver; folders that cfg leaves out are temporary.
func newDriver(t testing.TB, cfg qemu.Config) *qemu.Driver {
	t.Helper()
	cfg.Command = computetest.ShimCommand()
	if cfg.Tag == "" {
		cfg.Tag = computetest.NewTag()
	}
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Cache == "" {
		cfg.Cache = t.TempDir()
	}
	if cfg.Runtime == "" { // t.TempDir is too long for sockets
		dir, err := os.MkdirTemp("", "iq")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		cfg.Runtime = dir
	}
	d, err := qemu.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Sweep(context.Background(), nil); err != nil {
			t.Errorf("sweeping: %v", err)
		}
	})
	return d
}

// newSpec makes the spec of an instance on an overlay of a raw disk.
func newSpec(t testing.TB, boot compute.Boot, disk string) compute.Spec {
	t.Helper()
	overlay := filepath.Join(t.TempDir(), "disk.qcow2")
	out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", "raw", overlay).CombinedOutput()
	if err != nil {
		t.Fatalf("making an overlay: %v: %s", err, out)
	}
	return compute.Spec{
		ID: computetest.NewID(), Hostname: "probe", Disk: overlay, Boot: boot,
		CPUs: 2, MemoryMiB: 1024, Token: "a token of this test",
	}
}
