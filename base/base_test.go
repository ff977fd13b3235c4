package base

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"ingot.dev/ingot"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/internal/testenv"
)

var debian12 = Recipe{Name: "debian-12-x86", Suite: "bookworm"}

// fakeBootstrap puts a script in the place of mmdebstrap.
func fakeBootstrap(t *testing.T, script string) {
	t.Helper()
	testenv.For(t, testenv.Bootstrap)
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "mmdebstrap"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("files left = %v, %v; want none", left, err)
	}
}

func TestBuildFails(t *testing.T) {
	fakeBootstrap(t, "echo 'E: the mirror is gone' >&2; exit 25\n")
	dir := t.TempDir()
	err := Build(t.Context(), debian12, Options{Out: filepath.Join(dir, "disk.raw")})
	if err == nil || !strings.Contains(err.Error(), "the mirror is gone") {
		t.Errorf("Build = %v, want what mmdebstrap said", err)
	}
	wantEmpty(t, dir)
}

// A cancelled build ends apt and dpkg too, and leaves nothing.
func TestBuildCancelled(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	fakeBootstrap(t, fmt.Sprintf("sleep 1000 &\necho $! >%s\necho started >&2\nwait\n", pidFile))
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	progress := writerFunc(func(p []byte) {
		if strings.Contains(string(p), "started") {
			cancel()
		}
	})
	if err := Build(ctx, debian12, Options{Out: filepath.Join(dir, "disk.raw"), Progress: progress}); !errors.Is(err, context.Canceled) {
		t.Errorf("Build = %v, want context.Canceled", err)
	}
	wantEmpty(t, dir)
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(stat), ") Z ") {
		t.Errorf("process %d lives on: %s", pid, stat)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

// What a killed build left is removed by the next one, which two builds of one
// output cannot be.
func TestBuildAfterKill(t *testing.T) {
	fakeBootstrap(t, "exit 1\n")
	dir := t.TempDir()
	left := filepath.Join(dir, ".disk.raw.work", "root", "var")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(left, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := Build(t.Context(), debian12, Options{Out: filepath.Join(dir, "disk.raw")}); err == nil {
		t.Error("Build succeeds without a bootstrap")
	}
	wantEmpty(t, dir)
}

func TestBuildRefusesASecond(t *testing.T) {
	fakeBootstrap(t, "exit 1\n")
	dir := t.TempDir()
	lock, err := os.Create(filepath.Join(dir, ".disk.raw.work.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	err = Build(t.Context(), debian12, Options{Out: filepath.Join(dir, "disk.raw")})
	if ingot.ErrorCode(err) != ingot.CodeInUse {
		t.Errorf("Build = %v, want inUse", err)
	}
}

// TestBaseBoots bootstraps Debian and starts it by both firmwares. It takes
// minutes where QEMU emulates.
func TestBaseBoots(t *testing.T) {
	if testing.Short() {
		t.Skip("bootstraps Debian and boots it twice: not with -short")
	}
	testenv.For(t, testenv.Bootstrap, testenv.Network, testenv.QEMU)
	out := filepath.Join(t.TempDir(), "debian.raw")
	if err := Build(t.Context(), debian12, Options{Out: out, Progress: writerFunc(func(p []byte) { t.Logf("%s", strings.TrimSpace(string(p))) })}); err != nil {
		t.Fatal(err)
	}
	layout, err := disk.Inspect(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkBootable(layout, out); err != nil {
		t.Error(err)
	}
	if len(layout.BootModes) != 2 || layout.Partitions[layout.Root].FileSystem != "ext4" {
		t.Errorf("layout = %+v, want ext4 that boots by bios and uefi", layout)
	}
	if testOut, err := exec.Command(toolPath("e2fsck"), "-fn", fmt.Sprintf("%s?offset=%d", out, layout.Partitions[layout.Root].Offset)).CombinedOutput(); err != nil {
		t.Errorf("e2fsck: %v\n%s", err, testOut)
	}
	var g errgroup.Group
	g.Go(func() error { return bootToLogin(t, out, "bios") })
	g.Go(func() error { return bootToLogin(t, out, "uefi", "-bios", "/usr/share/ovmf/OVMF.fd") })
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// bootToLogin starts the disk, without writing to it, until the serial console
// asks for a login and the SSH server answers: it has host keys then, and the
// machine an address from DHCP.
func bootToLogin(t *testing.T, path, firmware string, args ...string) error {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	start := time.Now()
	ssh, err := freeAddress()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", append([]string{
		"-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024", "-machine", "q35", "-nodefaults",
		"-display", "none", "-no-reboot", "-serial", "stdio", "-snapshot",
		"-drive", "file=" + path + ",format=raw,if=virtio,cache=unsafe",
		"-netdev", "user,id=n0,hostfwd=tcp:" + ssh + "-:22", "-device", "virtio-net-pci,netdev=n0,romfile=",
	}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	console, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	seen, err := readUntil(console, "debian login:")
	if err == nil {
		t.Logf("%s: login prompt after %.1f s", firmware, time.Since(start).Seconds())
		go io.Copy(io.Discard, console) // ends with QEMU
		err = awaitSSH(ctx, ssh)
	}
	cancel()
	// The status is that of the kill, which is how the test ends it.
	_ = cmd.Wait()
	if err != nil {
		return fmt.Errorf("%s: not up after %.0f s: %w; the console ends with\n%s", firmware, time.Since(start).Seconds(), err, seen[max(0, len(seen)-2000):])
	}
	t.Logf("%s: SSH answers after %.1f s", firmware, time.Since(start).Seconds())
	return nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// awaitSSH dials until a banner comes: QEMU accepts connections before the
// guest has an address, and closes them.
func awaitSSH(ctx context.Context, address string) error {
	for again := time.NewTicker(time.Second); ; {
		err := readBanner(ctx, address)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for SSH: %w", err)
		}
	}
}

func readBanner(ctx context.Context, address string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	banner := make([]byte, len("SSH-2.0"))
	if _, err := io.ReadFull(conn, banner); err != nil {
		return err
	}
	if string(banner) != "SSH-2.0" {
		return fmt.Errorf("the banner is %q", banner)
	}
	return nil
}

// readUntil returns what came until a text did.
func readUntil(r io.Reader, text string) (string, error) {
	var seen strings.Builder
	in := bufio.NewReader(r)
	for !strings.HasSuffix(seen.String(), text) {
		b, err := in.ReadByte()
		if err != nil {
			return seen.String(), err
		}
		seen.WriteByte(b)
	}
	return seen.String(), nil
}
