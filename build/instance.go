package build

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/guest"
)

// launched is the output of a launch: what later steps need to find the instance.
type launched struct {
	InstanceID   string `json:"instanceId"`
	InstanceType string `json:"instanceType"`
	Kind         string `json:"kind"`
}

// Bounds on waiting for a guest. Emulated without KVM, a guest behind its own
// firmware and loader takes about 20 s to its agent on an idle host.
const (
	agentTimeout = 5 * time.Minute
	readyTimeout = time.Minute // for the guest's init system; a unit that hangs is no reason to fail
	bootTimeout  = 10 * time.Minute
	stopGrace    = 2 * time.Minute
	pollPause    = 20 * time.Millisecond
)

// lostError means that an instance went away without the recipe's doing.
type lostError struct {
	reason string
	off    bool // it powered off cleanly
}

func (e *lostError) Error() string { return "the instance was lost: " + e.reason }

func isOff(err error) bool {
	var lost *lostError
	return errors.As(err, &lost) && lost.off
}

// launch starts the instance of this attempt on a disk of its own, trying the
// instance types in order, and waits for its agent.
func (w *work) launch(ctx context.Context) (any, error) {
	w.inputs = map[string]string{"waitFor": "ssmAgent"}
	if err := w.discard(ctx, w.Attempt-1); err != nil {
		return nil, err
	}
	inst, m, err := w.start(ctx)
	if err != nil {
		return nil, err
	}
	w.log.note("Launched instance %s as %s", inst.ID(), m)
	w.Instance = launched{InstanceID: inst.ID(), InstanceType: m.Type, Kind: m.Kind}
	if err := w.settle(ctx, inst); err != nil {
		return nil, err
	}
	return w.Instance, nil
}

// discard removes the instance of an earlier attempt.
func (w *work) discard(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return nil
	}
	return w.destroy(ctx, instanceID(w.Plan.Image, w.step.workflow, attempt))
}

// machines are the instance types to try.
func (w *work) machines() []machine {
	if w.step.workflow == workflowTest {
		return w.Plan.TestMachines
	}
	return w.Plan.BuildMachines
}

// start makes the disk and launches the first type that there is room for.
func (w *work) start(ctx context.Context) (compute.Instance, machine, error) {
	id := instanceID(w.Plan.Image, w.step.workflow, w.Attempt)
	local, err := w.Regions.Region(w.image.Region)
	if err != nil {
		return nil, machine{}, err
	}
	overlay := w.overlay(id)
	if err := os.MkdirAll(filepath.Dir(overlay), 0o700); err != nil {
		return nil, machine{}, fmt.Errorf("making the disk of %s: %w", id, err)
	}
	source, size := w.Plan.Parent.Snapshot, w.Plan.VolumeBytes
	if w.step.workflow == workflowTest {
		source, size = w.Output.Snapshot, 0
	}
	if err := local.Disks.Overlay(ctx, disk.SnapshotID(source), overlay, size); err != nil {
		return nil, machine{}, err
	}
	var refused []error
	for _, m := range w.machines() {
		inst, err := w.Drivers[m.Kind].Launch(ctx, w.spec(id, overlay, m))
		if err == nil {
			return inst, m, nil
		}
		w.log.note("Instance type %s cannot be launched: %s", m.Type, err)
		refused = append(refused, fmt.Errorf("launching %s as %s: %w", id, m.Type, err))
	}
	return nil, machine{}, errors.Join(refused...)
}

func (w *work) spec(id, overlay string, m machine) compute.Spec {
	purpose := "Build"
	if w.step.workflow == workflowTest {
		purpose = "Test"
	}
	tags := maps.Clone(w.Plan.InstanceTags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, ownTags(w.Plan.Image))
	tags["Name"] = purpose + " instance for " + w.Plan.Name
	return compute.Spec{
		ID: id, Hostname: id, Disk: overlay, Boot: compute.BootDirect,
		CPUs: m.CPUs, MemoryMiB: m.MemoryMiB, Tags: tags, Token: rand.Text(),
	}
}

// overlay is the path of an instance's disk, in the folder of the instance.
func (b *Builder) overlay(id string) string { return filepath.Join(b.Instances, id, "disk.qcow2") }

// settle waits for a booted guest and prepares it as the service's user data would.
func (w *work) settle(ctx context.Context, inst compute.Instance) error {
	c, err := w.agent(ctx, inst)
	if err != nil {
		var lost *lostError
		if errors.As(err, &lost) { // at its first boot: the image's fault
			return fmt.Errorf("instance %s did not boot: %s", inst.ID(), lost.reason)
		}
		return err
	}
	defer c.Close()
	w.awaitBoot(ctx, c)
	if w.step.workflow == workflowTest {
		return nil
	}
	if w.Plan.UserData != "" {
		return w.runUserData(ctx, c)
	}
	return w.markCleanUp(ctx, c)
}

// awaitBoot lets the guest's services start before components need them. A
// guest that is never quite ready is used as it is.
func (w *work) awaitBoot(ctx context.Context, c *guest.Client) {
	limited, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	state, err := c.Ready(limited)
	if err != nil {
		w.log.note("The guest's services are still starting: %s", err)
		return
	}
	w.log.note("The guest is %s", state.State)
}

// adopt returns the instance that this attempt launched.
func (w *work) adopt(ctx context.Context) (compute.Instance, error) {
	driver := w.Drivers[w.Instance.Kind]
	if driver == nil {
		return nil, fmt.Errorf("instance %s is of the kind %s, which this server does not have any more", w.Instance.InstanceID, w.Instance.Kind)
	}
	inst, err := driver.Adopt(ctx, w.Instance.InstanceID)
	if errors.Is(err, compute.ErrGone) {
		return nil, &lostError{reason: w.Instance.InstanceID + " is gone"}
	}
	return inst, err
}

// agent waits until the guest answers. Its end is a lost instance; silence is
// an error with the end of the console.
func (w *work) agent(ctx context.Context, inst compute.Instance) (*guest.Client, error) {
	limited, cancel := context.WithTimeout(ctx, agentTimeout)
	defer cancel()
	c, err := inst.Agent(limited)
	if err == nil {
		return c, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("waiting for the agent of %s: %w", inst.ID(), err)
	}
	if lost := w.lostBy(ctx, inst); lost != nil {
		return nil, lost
	}
	if limited.Err() != nil {
		err = fmt.Errorf("no answer within %s", agentTimeout)
	}
	return nil, fmt.Errorf("waiting for the agent of %s: %w%s", inst.ID(), err, consoleTail(ctx, inst))
}

// lostBy says how an instance ended, if it has.
func (w *work) lostBy(ctx context.Context, inst compute.Instance) error {
	s, err := inst.State(ctx)
	switch {
	case errors.Is(err, compute.ErrGone):
		return &lostError{reason: inst.ID() + " is gone"}
	case err == nil && s.Phase == compute.PhaseOff:
		return &lostError{reason: inst.ID() + " powered off", off: true}
	case err == nil && s.Phase == compute.PhaseCrashed:
		return &lostError{reason: inst.ID() + " crashed: " + s.Reason + consoleTail(ctx, inst)}
	}
	return nil
}

// consoleTail is the end of an instance's console as part of a message.
func consoleTail(ctx context.Context, inst compute.Instance) string {
	s, err := inst.State(ctx)
	if err != nil || s.Console == "" {
		return ""
	}
	lines, err := lastLines(s.Console, 10)
	if err != nil || len(lines) == 0 {
		return ""
	}
	return "; the end of its console:\n" + strings.Join(lines, "\n")
}

// lastLines reads the last n lines of a file, at most 8 KiB of them.
func lastLines(path string, n int) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-8<<10), 8<<10))
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(data), "")), "\n")
	return lines[max(0, len(lines)-n):], err
}

// terminate removes the instance of this attempt.
func (w *work) terminate(ctx context.Context) (any, error) {
	w.inputs = map[string]string{"instanceId": w.Instance.InstanceID}
	return nil, w.destroy(ctx, w.Instance.InstanceID)
}

// destroy ends an instance of whatever kind, and its disk. One that is not
// there is no error.
func (b *Builder) destroy(ctx context.Context, id string) error {
	var errs []error
	for _, driver := range b.Drivers {
		inst, err := driver.Adopt(ctx, id)
		if errors.Is(err, compute.ErrGone) {
			continue
		}
		if err == nil {
			err = inst.Destroy(ctx)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Dir(b.overlay(id))); err != nil {
		return fmt.Errorf("removing the disk of %s: %w", id, err)
	}
	return nil
}

// pause waits a moment before something is asked again.
func pause(ctx context.Context) error { return sleep(ctx, pollPause) }
