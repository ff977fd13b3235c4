package qemu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/qemu/probe"
)

// The host's parts that the probe looks at; QEMU itself is found by PATH.
const (
	qemuBinary = "qemu-system-x86_64"
	kvmDevice  = "/dev/kvm"
	bootID     = "/proc/sys/kernel/random/boot_id"
)

// probeLimit is for the probe guest: a working KVM needs 0.1 s, TCG 0.6 s on a
// slow machine, and a KVM that only pretends does not end.
const probeLimit = 2 * time.Second

// verdict is the cached outcome of running the probe.
type verdict struct {
	BootID  string          `json:"bootId"`
	Finding compute.Finding `json:"finding"`
}

// kvm says whether KVM works. The guest is run once per boot of the host; what
// can be seen without it is looked at every time, for it may be remedied.
func (d *Driver) kvm(ctx context.Context) (compute.Finding, error) {
	if f := kvmMissing(kvmDevice); !f.OK {
		return f, nil
	}
	id, err := os.ReadFile(bootID)
	if err != nil {
		return compute.Finding{}, fmt.Errorf("reading the host's boot id: %w", err)
	}
	boot := strings.TrimSpace(string(id))
	if v, err := d.readVerdict(); err != nil {
		return compute.Finding{}, err
	} else if v.BootID == boot {
		return v.Finding, nil
	}
	f, err := runProbe(ctx, AccelKVM, probeLimit)
	if err != nil {
		return f, err
	}
	return f, d.writeVerdict(verdict{BootID: boot, Finding: f})
}

// kvmMissing finds the two common faults that need no guest.
func kvmMissing(device string) compute.Finding {
	f := compute.Finding{Name: "kvm"}
	dev, err := os.OpenFile(device, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Detail = device + " does not exist: virtual machines are emulated, about eight times slower"
		f.Remedy = "enable virtualisation in the firmware or nested virtualisation in the outer host, then: modprobe kvm_intel || modprobe kvm_amd"
	case errors.Is(err, fs.ErrPermission):
		f.Detail = "this user may not open " + device + ": virtual machines are emulated, about eight times slower"
		f.Remedy = fmt.Sprintf("usermod --append --groups kvm %s, then log in again", userName())
	case err != nil:
		f.Detail = "opening " + device + ": " + err.Error()
		f.Remedy = "see dmesg for messages of kvm"
	default:
		dev.Close()
		f.OK = true
	}
	return f
}

func userName() string {
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	return "USER"
}

// runProbe boots the probe guest. The error is not about the host's ability
// but about asking it: no QEMU, no room, or ctx has ended.
func runProbe(ctx context.Context, accel Accel, limit time.Duration) (compute.Finding, error) {
	f := compute.Finding{Name: "kvm"}
	kernel, err := kernelFile()
	if err != nil {
		return f, fmt.Errorf("probing KVM: %w", err)
	}
	defer kernel.Close()
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var letters, stderr bytes.Buffer
	cmd := exec.CommandContext(limited, qemuBinary, probeArgs("/proc/self/fd/3", accel)...)
	cmd.ExtraFiles = []*os.File{kernel} // 3
	cmd.Stdout, cmd.Stderr = &letters, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// The signal comes when the starting thread ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := time.Now()
	err = cmd.Run()
	var exit *exec.ExitError
	switch took := time.Since(start).Round(time.Millisecond); {
	case ctx.Err() != nil:
		return f, ctx.Err()
	case err != nil && !errors.As(err, &exit):
		return f, fmt.Errorf("probing KVM: %w", err)
	case cmd.ProcessState.ExitCode() == probe.ExitStatus && strings.HasSuffix(letters.String(), "PLD"):
		f.OK, f.Detail = true, fmt.Sprintf("the probe guest finished in %s", took)
	case limited.Err() != nil:
		f.Detail = fmt.Sprintf("the probe guest hangs after %q: KVM is there in name only, so virtual machines are emulated, about eight times slower", letters.String())
		f.Remedy = "use a host with hardware virtualisation, or enable nested virtualisation in the outer host"
	default:
		f.Detail = "QEMU cannot use KVM: " + lastLine(stderr.String(), err)
		f.Remedy = "see dmesg for messages of kvm"
	}
	return f, nil
}

// kernelFile holds the probe guest in memory: a killed server leaves no file.
func kernelFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("ingot-probe", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "ingot-probe")
	if _, err := f.Write(probe.Kernel); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func probeArgs(kernel string, accel Accel) []string {
	return []string{
		"-accel", string(accel), "-m", "64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-kernel", kernel,
	}
}

// lastLine is the last line of a program's complaints, or the error if there is none.
func lastLine(text string, err error) string {
	text = strings.TrimSpace(text)
	if text == "" && err != nil {
		return err.Error()
	}
	return text[strings.LastIndexByte(text, '\n')+1:]
}

func (d *Driver) verdictPath() string { return filepath.Join(d.cfg.Cache, "kvm.json") }

func (d *Driver) readVerdict() (v verdict, err error) {
	text, err := os.ReadFile(d.verdictPath())
	if errors.Is(err, fs.ErrNotExist) {
		return verdict{}, nil
	}
	if err != nil {
		return verdict{}, fmt.Errorf("reading the verdict on KVM: %w", err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return verdict{}, nil // cut off by a crash: probe again
	}
	return v, nil
}

func (d *Driver) writeVerdict(v verdict) error {
	text, err := json.Marshal(v)
	if err == nil {
		err = os.MkdirAll(d.cfg.Cache, 0o750)
	}
	if err == nil {
		err = os.WriteFile(d.verdictPath(), text, 0o640)
	}
	if err != nil {
		return fmt.Errorf("keeping the verdict on KVM: %w", err)
	}
	return nil
}
