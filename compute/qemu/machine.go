package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/shim"
	"ingot.dev/ingot/disk"
)

// Machine is the driver's half in a shim process.
type Machine struct{}

// Open prepares the boot: kernel and initrd, or the firmware and an agent on the disk.
func (Machine) Open(ctx context.Context, p shim.Place) (shim.Guest, error) {
	var opts options
	if err := json.Unmarshal(p.Options, &opts); err != nil {
		return nil, fmt.Errorf("reading the options: %w", err)
	}
	v := &vm{place: p, command: Command{
		Binary: qemuBinary, ID: p.Spec.ID, Tag: p.Tag, Accel: opts.Accel,
		CPUs: p.Spec.CPUs, MemoryMiB: p.Spec.MemoryMiB, Disk: p.Spec.Disk,
		Hostname: p.Spec.Hostname, Forward: p.Spec.Forward,
	}}
	if err := v.prepare(ctx); err != nil {
		return nil, errors.Join(err, v.removeFiles())
	}
	return v, nil
}

// vm is one instance over all its boots.
type vm struct {
	place   shim.Place
	command Command
	boots   int
	flush   bool // the disk was left in order and must be kept

	mu      sync.Mutex
	monitor *monitor // of the present boot
}

// prepare makes what a boot needs beside the disk.
func (v *vm) prepare(ctx context.Context) error {
	if v.place.Spec.Boot == compute.BootDirect {
		return v.prepareDirect(ctx)
	}
	var err error
	if v.command.Firmware, err = prepareFirmware(v.place.Spec.Boot, v.place.Dir); err != nil {
		return err
	}
	return v.inject(ctx)
}

func (v *vm) prepareDirect(ctx context.Context) error {
	return v.withRaw(ctx, func(raw string) (err error) {
		v.command.Direct, err = prepareDirect(ctx, raw, v.place.Dir, v.place.Spec)
		return err
	})
}

// inject puts the agent into the disk. A disk that cannot have one is booted
// all the same: whether it comes up can be seen on the console.
func (v *vm) inject(ctx context.Context) error {
	err := v.withRaw(ctx, func(raw string) error {
		return injectAgent(ctx, raw, v.place.Dir, v.place.Spec.Token)
	})
	var noExt4 errNoExt4
	if errors.As(err, &noExt4) || errors.Is(err, errNoSystemd) {
		v.place.Log.Warn("booting without an agent", "reason", err)
		return note(v.place.Console, "no agent: "+err.Error())
	}
	return err
}

// closeLimit bounds the flush of a disk that was shown as a raw file.
const closeLimit = time.Minute

// withRaw shows the overlay as a raw file while use runs.
func (v *vm) withRaw(ctx context.Context, use func(raw string) error) (err error) {
	exposed, err := disk.Expose(ctx, v.command.Disk, filepath.Join(v.place.Dir, "disk.raw"))
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		err = errors.Join(err, exposed.Close(ctx))
	}()
	return use(exposed.Path)
}

// Boot runs QEMU once. Before a later direct boot the kernel is fetched again:
// the guest may have installed a newer one.
func (v *vm) Boot(ctx context.Context) (shim.End, error) {
	v.boots++
	v.flush = false
	if v.boots > 1 && v.command.Direct.Kernel != "" {
		if err := v.prepareDirect(ctx); err != nil {
			return shim.EndCrashed, err
		}
	}
	p, err := startProcess(ctx, v.command, v.place)
	if err != nil {
		return shim.EndCrashed, fmt.Errorf("starting QEMU: %w", err)
	}
	v.setMonitor(p.monitor)
	end, err := p.wait(ctx)
	v.setMonitor(nil)
	v.flush = end == shim.EndOff
	return end, err
}

func (v *vm) setMonitor(m *monitor) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.monitor = m
}

// redialAfter is the pause before a socket that is not there yet is tried again.
const redialAfter = 5 * time.Millisecond

// Channel connects to the agent's port.
func (v *vm) Channel(ctx context.Context) (net.Conn, error) {
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", agentSocket(v.place.Runtime))
		if err == nil {
			return conn, nil
		}
		select {
		case <-time.After(redialAfter):
		case <-ctx.Done():
			return nil, fmt.Errorf("connecting to the agent's port: %w", errors.Join(context.Cause(ctx), err))
		}
	}
}

// powerOffLimit bounds QEMU's answer, not the guest's reaction.
const powerOffLimit = 5 * time.Second

// PowerOff presses the ACPI power button.
func (v *vm) PowerOff() error {
	v.mu.Lock()
	m := v.monitor
	v.mu.Unlock()
	if m == nil {
		return errors.New("pressing the power button: QEMU does not run")
	}
	ctx, cancel := context.WithTimeout(context.Background(), powerOffLimit)
	defer cancel()
	return m.execute(ctx, "system_powerdown")
}

// Address is empty: user networking lets nobody in.
func (v *vm) Address() string { return "" }

// Close brings the disk of a guest that powered off to stable storage, and
// removes what only boots need.
func (v *vm) Close() error {
	var err error
	if v.flush {
		err = syncFile(v.command.Disk)
	}
	return errors.Join(err, v.removeFiles())
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (v *vm) removeFiles() error {
	var errs []error
	for _, name := range []string{"vmlinuz", "initrd", "uefi-vars.fd"} {
		if err := os.Remove(filepath.Join(v.place.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func agentSocket(runtime string) string { return filepath.Join(runtime, "agent.sock") }
