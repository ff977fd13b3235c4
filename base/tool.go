package base

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ingot.dev/ingot"
)

// tools are the programs a bootstrap runs and the Debian packages that bring them.
var tools = []struct{ command, pkg string }{
	{"mmdebstrap", "mmdebstrap"},
	{"mkfs.ext4", "e2fsprogs"},
	{"dumpe2fs", "e2fsprogs"},
	{"debugfs", "e2fsprogs"},
	{"mkfs.vfat", "dosfstools"},
	{"mcopy", "mtools"},
	{"grub-mkimage", "grub-common"},
	{bootImage, "grub-pc-bin"},
	{"/usr/lib/grub/x86_64-efi/kernel.img", "grub-efi-amd64-bin"},
	{"/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"},
}

// checkTools names everything that is missing at once.
func checkTools() error {
	var missing []string
	for _, t := range tools {
		if _, err := os.Stat(toolPath(t.command)); err != nil {
			missing = append(missing, t.pkg)
		}
	}
	if len(missing) > 0 {
		return ingot.Errorf(ingot.CodeUnavailable, "building a base needs tools that are not here: apt-get install %s", strings.Join(missing, " "))
	}
	return nil
}

// toolPath finds a program; the ones for file systems are in directories that
// an ordinary user's PATH does not have.
func toolPath(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if path := filepath.Join(dir, name); fileExists(path) {
			return path
		}
	}
	return name
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// command prepares a tool. It has a process group of its own, which ends as a
// whole when ctx does: apt and dpkg must not outlive mmdebstrap.
func (b *builder) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, toolPath(name), args...)
	cmd.Dir = b.work
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TMPDIR="+b.work, "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin",
		fmt.Sprintf("SOURCE_DATE_EPOCH=%d", b.Date.Unix()), fmt.Sprintf("E2FSPROGS_FAKE_TIME=%d", b.Date.Unix()), "MTOOLS_SKIP_CHECK=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// tool runs a program to its end; what it prints becomes part of the error.
func (b *builder) tool(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := b.command(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, toolError(ctx, name, err, stderr.String())
	}
	return stdout.Bytes(), nil
}

// toolError adds the last line that a failed program printed.
func toolError(ctx context.Context, name string, err error, stderr string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	return fmt.Errorf("running %s: %w: %s", name, err, lines[len(lines)-1])
}
