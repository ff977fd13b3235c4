package qemu

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"

	"ingot.dev/ingot/compute"
)

// Probe finds out what this host can do. Without KVM the report is still OK:
// guests are emulated then.
func (d *Driver) Probe(ctx context.Context) compute.Report {
	r := compute.Report{Kind: compute.KindQEMU, OK: true}
	add := func(f compute.Finding, required bool) {
		r.Checks = append(r.Checks, f)
		r.OK = r.OK && (f.OK || !required)
	}
	found := findTool(qemuBinary, "qemu-system-x86")
	if found.OK {
		found.Detail = qemuVersion(ctx)
	}
	add(found, true)
	add(findTool("qemu-storage-daemon", "qemu-system-common"), true)
	add(findTool("prlimit", "util-linux"), true)
	add(findTool("debugfs", "e2fsprogs"), true)
	add(findFUSE("/dev/fuse"), true)
	if found.OK {
		add(d.probeKVM(ctx), false)
	}
	add(reportOVMF(), false)
	return r
}

// findTool looks for a program; pkg is the Debian package that has it.
func findTool(name, pkg string) compute.Finding {
	f := compute.Finding{Name: name}
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin/", "/sbin/"} { // not in the PATH of ordinary users
		if err != nil {
			path, err = exec.LookPath(dir + name)
		}
	}
	if err != nil {
		f.Detail, f.Remedy = "not installed", "apt-get install "+pkg
		return f
	}
	f.OK, f.Detail = true, path
	return f
}

// qemuVersion is the first line that QEMU says of itself.
func qemuVersion(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, qemuBinary, "--version").Output()
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

func findFUSE(device string) compute.Finding {
	f := compute.Finding{Name: "fuse", OK: true, Detail: device}
	dev, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		f.OK, f.Detail, f.Remedy = false, err.Error(), "modprobe fuse"
		return f
	}
	dev.Close()
	if os.Geteuid() == 0 {
		return f
	}
	mount := findTool("fusermount3", "fuse3") // mounts for users other than root
	mount.Name = "fuse"
	return mount
}

// probeKVM puts a verdict that could not be reached into the report.
func (d *Driver) probeKVM(ctx context.Context) compute.Finding {
	f, err := d.kvm(ctx)
	if err != nil {
		return compute.Finding{Name: "kvm", Detail: err.Error(), Remedy: "repeat the check"}
	}
	return f
}

func reportOVMF() compute.Finding {
	f := compute.Finding{Name: "uefi firmware"}
	found, err := findOVMF(ovmf)
	if errors.Is(err, errNoOVMF) {
		f.Detail, f.Remedy = "not installed: images cannot be tested with UEFI", "apt-get install ovmf"
		return f
	}
	f.OK, f.Detail = true, found.Code
	return f
}
