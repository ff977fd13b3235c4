package build

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"ingot.dev/ingot"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/model"
)

// equip takes over what the recipe says of the instance.
func (p *plan) equip(recipe *model.ImageRecipe) error {
	p.Directory = recipe.WorkingDirectory
	if p.Directory == "" {
		p.Directory = "/tmp"
	}
	if c := recipe.AdditionalInstanceConfiguration; c != nil && c.UserDataOverride != "" {
		script, err := base64.StdEncoding.DecodeString(c.UserDataOverride)
		if err != nil {
			return ingot.Errorf(ingot.CodeInvalid, "userDataOverride is not Base64: %w", err)
		}
		if !bytes.HasPrefix(script, []byte("#!")) {
			return ingot.Errorf(ingot.CodeNotImplemented, "this server runs a userDataOverride that is a script, with #! at its start; other forms of user data are not built yet")
		}
		p.UserData = string(script)
	}
	return p.volume(recipe.BlockDeviceMappings)
}

// rootDevices are the names under which recipes mean the root volume.
var rootDevices = []string{"/dev/xvda", "/dev/sda1", "/dev/sda", "/dev/vda", "/dev/nvme0n1"}

// volume takes over the size of the root volume.
func (p *plan) volume(mappings []model.InstanceBlockDeviceMapping) error {
	for _, m := range mappings {
		switch {
		case m.VirtualName != "" || m.NoDevice != nil:
			continue // no instance here has such devices
		case !slices.Contains(rootDevices, m.DeviceName):
			return ingot.Errorf(ingot.CodeNotImplemented, "blockDeviceMappings names %s: this server has the root volume (%s) only", m.DeviceName, strings.Join(rootDevices, ", "))
		case m.Ebs == nil:
			continue
		case m.Ebs.Encrypted != nil && *m.Ebs.Encrypted:
			return ingot.Errorf(ingot.CodeNotImplemented, "blockDeviceMappings asks to encrypt %s: this server cannot encrypt volumes yet", m.DeviceName)
		case m.Ebs.SnapshotId != "":
			return ingot.Errorf(ingot.CodeNotImplemented, "blockDeviceMappings gives %s a snapshot: the root volume comes from the parent image", m.DeviceName)
		case m.Ebs.VolumeSize == nil:
			continue
		}
		p.VolumeBytes = int64(*m.Ebs.VolumeSize) << 30
		if p.VolumeBytes < p.Parent.SizeBytes {
			return ingot.Errorf(ingot.CodeInvalid, "blockDeviceMappings gives %s %d GiB, the parent image %s has %d GiB",
				m.DeviceName, *m.Ebs.VolumeSize, p.Parent.ID, (p.Parent.SizeBytes+1<<30-1)>>30)
		}
	}
	return nil
}

// provide takes over what the infrastructure configuration says.
func (b *Builder) provide(ctx context.Context, p *plan, c *model.InfrastructureConfiguration) error {
	if c == nil {
		c = &model.InfrastructureConfiguration{}
	}
	p.KeepOnFailure = c.TerminateInstanceOnFailure != nil && !*c.TerminateInstanceOnFailure
	p.InstanceTags = c.ResourceTags
	if c.Logging != nil && c.Logging.S3Logs != nil {
		p.LogBucket = c.Logging.S3Logs.S3BucketName
		p.LogPrefix = strings.Trim(c.Logging.S3Logs.S3KeyPrefix, "/")
	}
	types := c.InstanceTypes
	if len(types) == 0 {
		types = []string{defaultType}
	}
	buildKind, err := b.DefaultBuildKind(ctx)
	if err != nil {
		return err
	}
	testKind, err := b.DefaultTestKind(ctx)
	if err != nil {
		return err
	}
	if p.BuildMachines, err = b.parseMachines(types, buildKind); err != nil {
		return err
	}
	p.TestMachines, err = b.parseMachines(types, testKind)
	return err
}

func (b *Builder) parseMachines(types []string, kind string) ([]machine, error) {
	var list []machine
	for _, t := range types {
		m, err := b.machine(t, kind)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

func (b *Builder) machine(text, kind string) (machine, error) {
	m, err := parseMachine(text, kind)
	if err != nil {
		return m, err
	}
	if b.Drivers[m.Kind] == nil {
		return m, ingot.Errorf(ingot.CodeInvalid, "instance type %s needs instances of the kind %s, which this server does not have", text, m.Kind)
	}
	return m, nil
}

// DefaultBuildKind is where components run: as configured, else in a container
// where this host can run them, else in a virtual machine.
func (b *Builder) DefaultBuildKind(ctx context.Context) (string, error) {
	switch b.BuildKind {
	case compute.KindContainer, compute.KindQEMU:
		return b.BuildKind, nil
	case "", kindAuto:
	default:
		return "", fmt.Errorf("build kind %q: it must be container, qemu or auto", b.BuildKind)
	}
	for _, kind := range []string{compute.KindContainer, compute.KindQEMU} {
		if d := b.Drivers[kind]; d != nil && d.Probe(ctx).OK {
			return kind, nil
		}
	}
	return "", ingot.Errorf(ingot.CodeUnavailable, "this host can run neither containers nor virtual machines: `ingot doctor` says what is missing")
}

// kindAuto leaves the kind of instances to what the host can do.
const kindAuto = "auto"

// DefaultTestKind is where tests run: as configured, else in a VM where KVM works.
func (b *Builder) DefaultTestKind(ctx context.Context) (string, error) {
	switch b.TestKind {
	case compute.KindContainer, compute.KindQEMU:
		return b.TestKind, nil
	case "", kindAuto:
	default:
		return "", fmt.Errorf("test kind %q: it must be container, qemu or auto", b.TestKind)
	}
	if d := b.Drivers[compute.KindQEMU]; d != nil && hasKVM(d.Probe(ctx)) {
		return compute.KindQEMU, nil
	}
	return b.DefaultBuildKind(ctx)
}

func hasKVM(r compute.Report) bool {
	return r.OK && slices.ContainsFunc(r.Checks, func(f compute.Finding) bool { return f.OK && strings.EqualFold(f.Name, "kvm") })
}
