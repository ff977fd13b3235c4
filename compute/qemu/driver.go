package qemu

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/shim"
)

// Config is where a driver works.
type Config struct {
	Dir     string   // one folder per instance, on disk
	Runtime string   // for sockets; short path on tmpfs
	Cache   string   // keeps the verdict on KVM; may be emptied at any time
	Tag     string   // of this installation: 1 to 8 of a-z and 0-9; part of every name on the host
	Command []string // the program that calls shim.Main, and its arguments before the folder
	Accel   Accel    // empty: KVM where the probe proves it, else TCG
}

// Driver makes virtual machines.
type Driver struct{ cfg Config }

var (
	tagForm = regexp.MustCompile(`^[a-z0-9]{1,8}$`)
	// hostForm is a DNS label or several; it goes into the kernel's command line.
	hostForm = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.|$))*$`)
)

// New returns a driver, which must not share its tag with another installation on the host.
func New(cfg Config) (*Driver, error) {
	if !tagForm.MatchString(cfg.Tag) {
		return nil, fmt.Errorf("tag %q: must be 1 to 8 of a-z and 0-9", cfg.Tag)
	}
	if cfg.Accel != "" && cfg.Accel != AccelKVM && cfg.Accel != AccelTCG {
		return nil, fmt.Errorf("accelerator %q: must be %s or %s", cfg.Accel, AccelKVM, AccelTCG)
	}
	return &Driver{cfg}, nil
}

// Kind is compute.KindQEMU.
func (d *Driver) Kind() string { return compute.KindQEMU }

func (d *Driver) host() *shim.Host {
	return &shim.Host{
		Kind: compute.KindQEMU, Tag: d.cfg.Tag, Dir: d.cfg.Dir, Runtime: d.cfg.Runtime, Command: d.cfg.Command,
		Reap: func(_ context.Context, id string) error { return killStrays(processName(d.cfg.Tag, id)) },
	}
}

// minMemoryMiB lets OVMF, GRUB and a Debian kernel with its initrd start.
const minMemoryMiB = 256

// options are what the shim's Machine is told beside the Spec.
type options struct {
	Accel Accel `json:"accel"`
}

// Launch starts a virtual machine. An empty Spec.Boot is BootDirect. With
// BootBIOS and BootUEFI the agent is written into Spec.Disk.
func (d *Driver) Launch(ctx context.Context, spec compute.Spec) (compute.Instance, error) {
	if spec.Boot == "" {
		spec.Boot = compute.BootDirect
	}
	if err := check(spec); err != nil {
		return nil, fmt.Errorf("launching %s: %w", spec.ID, err)
	}
	accel, err := d.accel(ctx)
	if err != nil {
		return nil, fmt.Errorf("launching %s: %w", spec.ID, err)
	}
	return d.host().Launch(ctx, spec, options{Accel: accel})
}

func check(spec compute.Spec) error {
	boots := []compute.Boot{compute.BootDirect, compute.BootBIOS, compute.BootUEFI}
	switch {
	case !slices.Contains(boots, spec.Boot):
		return fmt.Errorf("boot %q: must be one of %s", spec.Boot, boots)
	case spec.CPUs < 1 || spec.MemoryMiB < minMemoryMiB:
		return fmt.Errorf("%d CPUs and %d MiB: at least 1 and %d are needed", spec.CPUs, spec.MemoryMiB, minMemoryMiB)
	case len(spec.Hostname) > 64 || !hostForm.MatchString(spec.Hostname):
		return fmt.Errorf("host name %q: must be letters, digits and hyphens, 64 at most", spec.Hostname)
	case spec.Token == "":
		return errors.New("the token is empty")
	}
	return nil
}

// accel is the accelerator of the next instance.
func (d *Driver) accel(ctx context.Context) (Accel, error) {
	if d.cfg.Accel != "" {
		return d.cfg.Accel, nil
	}
	kvm, err := d.kvm(ctx)
	if err != nil || !kvm.OK {
		return AccelTCG, err
	}
	return AccelKVM, nil
}

// Adopt finds a virtual machine again.
func (d *Driver) Adopt(ctx context.Context, id string) (compute.Instance, error) {
	return d.host().Adopt(ctx, id)
}

// Sweep removes what is not kept: instances, and QEMU processes of this
// installation whose instance is unknown.
func (d *Driver) Sweep(ctx context.Context, keep []string) error {
	have, err := d.host().Sweep(ctx, keep)
	errs := []error{err}
	ids, err := strays(namePrefix(d.cfg.Tag))
	errs = append(errs, err)
	for _, id := range ids {
		if !slices.Contains(have, id) && !slices.Contains(keep, id) {
			errs = append(errs, killStrays(processName(d.cfg.Tag, id)))
		}
	}
	return errors.Join(errs...)
}
