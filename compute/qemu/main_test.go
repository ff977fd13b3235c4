package qemu_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/qemu"
	"ingot.dev/ingot/compute/shim"
	"ingot.dev/ingot/guest/agentbin"
	"ingot.dev/ingot/internal/testenv"
)

// TestMain makes this program its own shim, as cmd/ingot is.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "shim" {
		if err := shim.Main(os.Args[2], map[string]shim.Machine{compute.KindQEMU: qemu.Machine{}}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// agent builds the agent once and has drivers and shims use it.
var agent = sync.OnceValue(func() error {
	if os.Getenv(agentbin.Env) != "" {
		return nil
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("ingot-agent-test-%d", os.Getuid()))
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "ingot.dev/ingot/cmd/ingot-agent")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the agent: %w: %s", err, out)
	}
	return os.Setenv(agentbin.Env, path)
})

// newDriver makes a driver that boots for real, with folders of its own.
func newDriver(t testing.TB) *qemu.Driver {
	t.Helper()
	testenv.For(t, testenv.QEMU, testenv.Base)
	if err := agent(); err != nil {
		t.Fatal(err)
	}
	runtime, err := os.MkdirTemp("", "iq") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d, err := qemu.New(qemu.Driver{
		Dir: filepath.Join(dir, "instances"), Runtime: runtime, Cache: filepath.Join(dir, "cache"),
		Tag: "t" + fmt.Sprint(os.Getpid()%10000000), Command: []string{"/proc/self/exe", "shim"}, Accel: qemu.AccelTCG,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Sweep(context.Background(), nil); err != nil {
			t.Errorf("sweeping: %v", err)
		}
		if err := os.RemoveAll(runtime); err != nil {
			t.Error(err)
		}
	})
	return d
}

// newSpec makes the spec of an instance on a new overlay of disk.
func newSpec(t testing.TB, boot compute.Boot, disk, format string) compute.Spec {
	t.Helper()
	overlay := filepath.Join(t.TempDir(), "disk.qcow2")
	out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", format, overlay).CombinedOutput()
	if err != nil {
		t.Fatalf("making an overlay: %v: %s", err, out)
	}
	return compute.Spec{
		ID: fmt.Sprintf("i-%017x", time.Now().UnixNano()), Hostname: "probe", Disk: overlay, Boot: boot,
		CPUs: 2, MemoryMiB: 1024, Token: "a token of this test",
	}
}
