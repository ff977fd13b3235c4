package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot/internal/testenv"
)

// TestExportedImageServes builds the example and starts the exported disk in
// plain QEMU, without anything of ours, by both firmwares: it must serve its page.
func TestExportedImageServes(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.QEMU, testenv.Base, testenv.Network)
	p := newProcess(t)
	p.start()
	p.importBase()
	disk := filepath.Join(t.TempDir(), "web.qcow2")
	var result built
	if err := json.Unmarshal(p.command("build", "../../examples/web-server", "--no-test", "--export", disk, "--output", "json"), &result); err != nil {
		t.Fatal(err)
	}
	if len(result.AMIs) != 1 || result.Export != disk {
		t.Errorf("build = %+v, want one AMI and the export", result)
	}
	for firmware, args := range map[string][]string{
		"bios": nil,
		"uefi": {"-drive", "if=pflash,format=raw,readonly=on,file=" + ovmfCode(t)},
	} {
		t.Run(firmware, func(t *testing.T) {
			page := serveFrom(t, disk, args)
			if !strings.Contains(page, "<p>Hello from a golden image.</p>") {
				t.Errorf("the page is %q", page)
			}
		})
	}
}

// command runs ingot beside the server and returns what it printed.
func (p *process) command(args ...string) []byte {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(p.t.Context(), self, args...)
	cmd.Env, cmd.Stderr = p.env(), &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("ingot %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

func ovmfCode(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_CODE_4M.fd"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatal("OVMF is not installed: apt-get install ovmf")
	return ""
}

// serveFrom boots a throw-away snapshot of the disk and fetches the page of its
// web server.
func serveFrom(t *testing.T, disk string, firmware []string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	console := filepath.Join(t.TempDir(), "console.log")
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	vm := exec.CommandContext(ctx, "qemu-system-x86_64", append([]string{
		"-machine", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1024", "-nographic", "-monitor", "none",
		"-serial", "file:" + console, "-snapshot", "-drive", "if=virtio,format=qcow2,file=" + disk,
		"-nic", fmt.Sprintf("user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:%d-:80", port),
	}, firmware...)...)
	if err := vm.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = vm.Wait() // killed
	}()
	client := &http.Client{Timeout: 5 * time.Second}
	for {
		if resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port)); err == nil {
			page, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
			resp.Body.Close()
			if err == nil {
				return string(page)
			}
		}
		select {
		case <-ctx.Done():
			text, err := os.ReadFile(console)
			t.Fatalf("no page: %v; the console (%v):\n%s", ctx.Err(), err, text)
		case <-time.After(250 * time.Millisecond):
		}
	}
}
