package disk

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot/internal/testenv"
)

// overlayOf makes an overlay of a snapshot of n blocks in a new store.
func overlayOf(t testing.TB, n int) (s *Store, d memory, overlay string) {
	t.Helper()
	s = openTest(t)
	d, all := testDisk(n, 1)
	put(t, s, testID(1), "", d, all)
	overlay = filepath.Join(t.TempDir(), "disk,1.qcow2")
	if err := s.Overlay(context.Background(), testID(1), overlay, 0); err != nil {
		t.Fatal(err)
	}
	return s, d, overlay
}

func TestExpose(t *testing.T) {
	testenv.For(t, testenv.QEMU, testenv.Container)
	ctx := context.Background()
	s, d, overlay := overlayOf(t, 4)
	disk := d.bytes()
	e, err := Expose(ctx, overlay, filepath.Join(t.TempDir(), "raw,1"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(e.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, disk) {
		t.Errorf("the raw file differs from the snapshot: %v", err)
	}
	text := []byte("written through FUSE")
	copy(disk[BlockSize-5:], text)
	if _, err := f.WriteAt(text, BlockSize-5); err != nil {
		t.Error(err)
	}
	clear(disk[2*BlockSize : 3*BlockSize])
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 2*BlockSize, BlockSize); err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := e.Close(short); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "still in use") {
		t.Errorf("Close of a file in use = %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(e.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mount point stays: %v", err)
	}
	snap, err := s.Snapshot(ctx, testID(2), testID(1), overlay)
	if err != nil || snap.Blocks != 3 {
		t.Errorf("Snapshot = %+v, %v, want 3 blocks: the punched one is zeros", snap, err)
	}
	check(t, s, testID(2), disk)
}

func TestExposeFails(t *testing.T) {
	testenv.For(t, testenv.QEMU, testenv.Container)
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.qcow2")
	if err := os.WriteFile(bad, []byte("no disk"), 0o600); err != nil {
		t.Fatal(err)
	}
	mount := filepath.Join(dir, "mount")
	_, err := Expose(context.Background(), bad, mount)
	if err == nil || !strings.Contains(err.Error(), "not in qcow2 format") {
		t.Errorf("Expose of no disk = %v", err)
	}
	if _, err := Expose(context.Background(), bad, filepath.Join(dir, "none", "mount")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Expose in a missing folder = %v", err)
	}
	if _, err := Expose(context.Background(), bad, bad); err == nil || !strings.Contains(err.Error(), "no mount point") {
		t.Errorf("Expose over a file = %v", err)
	}
	_, _, overlay := overlayOf(t, 1)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Expose(ended, overlay, mount); !errors.Is(err, context.Canceled) {
		t.Errorf("Expose with an ended context = %v", err)
	}
	if _, err := os.Lstat(mount); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mount point stays: %v", err)
	}
}

// TestUnexpose kills the daemon itself, which leaves a dead mount.
func TestUnexpose(t *testing.T) {
	testenv.For(t, testenv.QEMU, testenv.Container)
	ctx := context.Background()
	_, _, overlay := overlayOf(t, 1)
	mount := filepath.Join(t.TempDir(), "raw")
	e, err := Expose(ctx, overlay, mount)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.daemon.Kill(); err != nil {
		t.Fatal(err)
	}
	<-e.ended
	if err := Unexpose(mount); err != nil {
		t.Error(err)
	}
	if err := Unexpose(mount); err != nil {
		t.Errorf("Unexpose of nothing: %v", err)
	}
	if _, err := os.Lstat(mount); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mount point stays: %v", err)
	}
	for range 2 { // over a dead mount too
		e, err := Expose(ctx, overlay, mount)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.daemon.Kill(); err != nil {
			t.Fatal(err)
		}
		<-e.ended
	}
	if err := Unexpose(mount); err != nil {
		t.Error(err)
	}
}

// TestExposeEndsWithParent kills a process that exposes an overlay; the daemon
// flushes, unmounts and goes.
func TestExposeEndsWithParent(t *testing.T) {
	testenv.For(t, testenv.QEMU, testenv.Container)
	s, d, overlay := overlayOf(t, 2)
	mount := filepath.Join(t.TempDir(), "raw")
	child := helper(t, "expose", overlay, mount)
	if line := child.line(t); line != "exposed" {
		t.Fatalf("the child says %q", line)
	}
	if err := os.WriteFile(mount, []byte("from outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	child.kill(t)
	deadline := time.Now().Add(20 * time.Second)
	for {
		mounted, err := isFUSE(mount) // an error while the daemon is going
		if err == nil && !mounted {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the mount stays after its process: %v", err)
		}
	}
	// The lock of the overlay is free when the daemon is gone.
	for {
		_, err := s.Snapshot(context.Background(), testID(2), testID(1), overlay)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	disk := d.bytes()
	copy(disk, "from outside")
	check(t, s, testID(2), disk)
}

// process is the test binary run again as something to be killed.
type process struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

// helper runs helperMain in a process of its own.
func helper(t *testing.T, args ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelper$")
	cmd.Env = append(os.Environ(), "INGOT_TEST_HELPER="+strings.Join(args, "\n"))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &process{cmd: cmd, out: bufio.NewScanner(out)}
}

func (p *process) line(t *testing.T) string {
	t.Helper()
	if !p.out.Scan() {
		t.Fatalf("the child ended: %v", p.out.Err())
	}
	return p.out.Text()
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // it was killed
}

// TestHelper is not a test: it is what helper runs.
func TestHelper(t *testing.T) {
	line, ok := os.LookupEnv("INGOT_TEST_HELPER")
	if !ok {
		t.Skip("it is run by other tests, in a process of its own")
	}
	args := strings.Split(line, "\n")
	switch args[0] {
	case "expose":
		if _, err := Expose(context.Background(), args[1], args[2]); err != nil {
			t.Fatal(err)
		}
		fmt.Println("exposed")
		select {}
	case "churn":
		churn(t, args[1], args[2])
	}
}
