package build

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/model"
)

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
	off    bool   // it powered off cleanly
	by     string // workflow execution that launched it
}

func (e *lostError) Error() string { return "the instance was lost: " + e.reason }

func isOff(err error) bool {
	var lost *lostError
	return errors.As(err, &lost) && lost.off
}

// own finds an instance that a step of this image's build has launched. Any
// other fails the step. Source: workflows.md §7.
func (w *work) own(id string) (product, error) {
	p, err := w.recall(w.Plan.Image, id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return p, fmt.Errorf("instance %s was not launched by this image's build; name the output instanceId of a LaunchInstance step", id)
	case err != nil:
		return p, fmt.Errorf("reading what is known of instance %s: %w", id, err)
	case p.Ended && w.Step.Action != "TerminateInstance":
		return p, fmt.Errorf("instance %s was terminated by an earlier step", id)
	}
	return p, nil
}

// spec is what to launch for the step, as a type of machine.
func (w *work) spec(p product, m machine) compute.Spec {
	purpose := map[model.WorkflowType]string{
		model.WorkflowTypeBuild: "Build", model.WorkflowTypeTest: "Test", model.WorkflowTypeDistribution: "Distribution",
	}[w.Workflow.Type]
	tags := maps.Clone(w.Plan.InstanceTags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, ownTags(w.Plan.Image))
	tags["Name"] = purpose + " instance for " + w.Plan.Name
	return compute.Spec{
		ID: p.ID, Hostname: p.ID, Disk: w.overlay(p.ID), Boot: compute.BootDirect,
		CPUs: m.CPUs, MemoryMiB: m.MemoryMiB, Tags: tags, Token: rand.Text(),
	}
}

// overlay is the path of an instance's disk, in the folder of the instance.
func (b *Builder) overlay(id string) string { return filepath.Join(b.Instances, id, "disk.qcow2") }

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

// adopt returns the instance that the step names.
func (w *work) adopt(ctx context.Context) (compute.Instance, error) {
	driver := w.Drivers[w.Instance.Kind]
	if driver == nil {
		return nil, fmt.Errorf("instance %s is of the kind %s, which this server does not have any more", w.Instance.ID, w.Instance.Kind)
	}
	inst, err := driver.Adopt(ctx, w.Instance.ID)
	if errors.Is(err, compute.ErrGone) {
		return nil, w.lost(w.Instance.ID + " is gone")
	}
	return inst, err
}

// lost is the error for the loss of the instance that the step names.
func (w *work) lost(reason string) *lostError {
	return &lostError{reason: reason, by: w.Instance.Execution}
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

// connect finds the agent of the step's instance.
func (w *work) connect(ctx context.Context) (*guest.Client, error) {
	inst, err := w.adopt(ctx)
	if err != nil {
		return nil, err
	}
	return w.agent(ctx, inst)
}

// orLost turns an error into the loss of the instance, if that is its cause.
func (w *work) orLost(ctx context.Context, err error) error {
	if !errors.Is(err, guest.ErrUnreachable) || ctx.Err() != nil {
		return err
	}
	inst, gone := w.adopt(ctx)
	if gone != nil {
		return gone
	}
	if lost := w.lostBy(ctx, inst); lost != nil {
		return lost
	}
	return err
}

// lostBy says how an instance ended, if it has.
func (w *work) lostBy(ctx context.Context, inst compute.Instance) error {
	s, err := inst.State(ctx)
	switch {
	case errors.Is(err, compute.ErrGone):
		return w.lost(inst.ID() + " is gone")
	case err == nil && s.Phase == compute.PhaseOff:
		lost := w.lost(inst.ID() + " powered off")
		lost.off = true
		return lost
	case err == nil && s.Phase == compute.PhaseCrashed:
		return w.lost(inst.ID() + " crashed: " + s.Reason + consoleTail(ctx, inst))
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
