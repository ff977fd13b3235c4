// Package container runs instances as system containers: the image's own init
// as process 1 of new namespaces, on the image's own root partition, without
// a runtime to install.
//
// The guest's root is an ordinary user of the host (user namespace, a range of
// ids per instance), its disk is mounted idmapped, without devices, in no mount
// table of the host. It has a network of its own behind NAT, reaches neither
// the host's services nor the cloud's metadata address, and is bounded in
// memory, processor time and processes.
//
//	container.go  the driver            machine.go  what the shim does
//	disk.go       overlay to mount      init.go     the guest's first process, until init
//	cgroup.go     limits                network.go  veth, NAT, subnet; dhcp.go  the one lease
//	seccomp.go    refused system calls  console.go  the guest's console to a file
//	probe.go      what this host can do
//
// What a container cannot show is listed in the documentation of instance
// kinds: own kernel, modules, boot loader, global sysctls.
package container

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/shim"
)

// DefaultMaxPIDs bounds a guest whose Spec does not say.
const DefaultMaxPIDs = 4096

// Config says where a driver works.
type Config struct {
	Dir     string   // one folder per instance, on disk
	Runtime string   // for sockets; short path on tmpfs
	Tag     string   // of this installation: 1 to 8 of a-z and 0-9; part of every name on the host
	Command []string // the program that calls shim.Main, and its arguments before the folder
}

// Driver makes containers.
type Driver struct {
	Config
	probed probed
}

var tagForm = regexp.MustCompile(`^[a-z0-9]{1,8}$`)

// New returns a driver, which must not share its tag with another installation on the host.
func New(c Config) (*Driver, error) {
	if !tagForm.MatchString(c.Tag) {
		return nil, fmt.Errorf("tag %q: must be 1 to 8 of a-z and 0-9", c.Tag)
	}
	return &Driver{Config: c}, nil
}

// Kind is compute.KindContainer.
func (d *Driver) Kind() string { return compute.KindContainer }

func (d *Driver) host() *shim.Host {
	return &shim.Host{
		Kind: compute.KindContainer, Tag: d.Tag, Dir: d.Dir, Runtime: d.Runtime, Command: d.Command,
		Reap: func(ctx context.Context, id string) error { return reap(ctx, d.Tag, id, d.Dir) },
	}
}

// Launch starts a container. Spec.Boot is BootDirect or empty.
func (d *Driver) Launch(ctx context.Context, spec compute.Spec) (compute.Instance, error) {
	switch {
	case spec.Boot != compute.BootDirect && spec.Boot != "":
		return nil, fmt.Errorf("launching %s: a container has no firmware to boot with %s", spec.ID, spec.Boot)
	case spec.CPUs < 1 || spec.MemoryMiB < 64:
		return nil, fmt.Errorf("launching %s: %d CPUs and %d MiB: at least 1 and 64 are needed", spec.ID, spec.CPUs, spec.MemoryMiB)
	case len(spec.Forward) > 0:
		return nil, fmt.Errorf("launching %s: a container has an address of its own and forwards no ports", spec.ID)
	case spec.Token == "":
		return nil, fmt.Errorf("launching %s: the token is empty", spec.ID)
	}
	if spec.MaxPIDs == 0 {
		spec.MaxPIDs = DefaultMaxPIDs
	}
	return d.host().Launch(ctx, spec, nil)
}

// Adopt finds a container again.
func (d *Driver) Adopt(ctx context.Context, id string) (compute.Instance, error) {
	return d.host().Adopt(ctx, id)
}

// Sweep removes what is not kept: instances, and what is left of killed ones.
func (d *Driver) Sweep(ctx context.Context, keep []string) error {
	have, err := d.host().Sweep(ctx, keep)
	errs := []error{err}
	ids, err := strays(d.Tag)
	errs = append(errs, err)
	for _, id := range append(ids, probeID) {
		if !slices.Contains(have, id) && !slices.Contains(keep, id) {
			errs = append(errs, reap(ctx, d.Tag, id, d.Dir))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(filepath.Join(d.Dir, probeID)))...)
}

// name is what everything of an instance is called on the host.
func name(tag, id string) string { return "ingot-" + tag + "-" + id }

// linkName is the host's end of an instance's network. Linux allows 15 characters.
func linkName(tag, id string) string {
	sum := sha256.Sum256([]byte(name(tag, id)))
	return linkPrefix + hex.EncodeToString(sum[:6])
}

const linkPrefix = "ing"
