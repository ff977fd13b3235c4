package build

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/guest"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/toe"
)

// toeDirectory is where component runs keep their logs in the guest. Source:
// component-documents.md §13.3. The clean-up removes it.
const toeDirectory = "/var/lib/amazon/toe"

// maxReboots bounds how often one run may restart its instance.
const maxReboots = 50

// maxCuts bounds how often the agent may vanish in the middle of one run: a
// step that ends it, or the guest, is begun again each time.
const maxCuts = 5

// componentError is a failed component run.
type componentError struct {
	result toe.Result
	name   string // of the component
}

// Error begins with the words that clients know (component-documents.md §13.7)
// and goes on with where it happened and what was printed last.
func (e *componentError) Error() string {
	f := e.result.Failure
	if f == nil {
		return "the component run failed: " + e.result.FailureMessage
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Document %s failed! Component %s, phase %s, step %s", f.Document, e.name, f.Phase, f.Step)
	if f.Action != "" {
		fmt.Fprintf(&b, " (%s)", f.Action)
	}
	if f.ExitCode != nil {
		fmt.Fprintf(&b, ", exit code %d", *f.ExitCode)
	}
	fmt.Fprintf(&b, ": %s", f.Message)
	if len(f.Tail) > 0 {
		b.WriteString("; last lines: " + joinLast(f.Tail, maxTail))
	}
	return b.String()
}

// maxTail is how much of the output fits beside the rest into maxReason.
const maxTail = 400 // characters

// joinLast joins as many of the last lines as limit allows. Of a last line that
// is too long the end is kept: that is where programs say what went wrong.
func joinLast(lines []string, limit int) string {
	text := []rune(strings.Join(lines, " | "))
	if len(text) <= limit {
		return string(text)
	}
	return "…" + string(text[len(text)-limit+1:])
}

func (e *componentError) context() *model.ComponentFailure {
	f := e.result.Failure
	if f == nil {
		return nil
	}
	return &model.ComponentFailure{
		ComponentArn: f.Document, PhaseName: f.Phase, StepName: f.Step, Action: f.Action,
		ErrorMessage: shorten(f.Message, maxReason),
	}
}

// runComponents starts or goes on with a run until its last result, over
// reboots and lost connections. Where the log ends, its events go on.
func (w *work) runComponents(ctx context.Context, inst compute.Instance, run guest.Run) (toe.Result, error) {
	var from int64
	w.phases = phaseClock{}
	err := w.log.linesOf(run.ID, func(l Line) {
		from = max(from, l.Seq)
		w.phases.tick(l)
	})
	if err != nil {
		return toe.Result{}, err
	}
	var silence time.Time
	var at toe.Event // of the step in progress
	for reboots, cuts := 0, 0; ; {
		c, err := w.agent(ctx, inst)
		if isOff(err) && at.Step != "" { // not again: nothing but a step turns it off
			return cutOff(at, poweredOff), nil
		}
		if err != nil {
			return toe.Result{}, err
		}
		seen := from
		result, err := w.attach(ctx, c, run, &from, &at)
		switch {
		case err == nil && !result.Reboot:
			if w.wentDown(ctx, inst, c, result) {
				result = cutOff(at, poweredOff)
			}
			return result, c.Close()
		case err == nil && reboots == maxReboots:
			return toe.Result{}, errors.Join(fmt.Errorf("the components restarted the instance %d times; that is the limit of one run", maxReboots), c.Close())
		case err == nil:
			reboots++
			err = w.reboot(ctx, inst, c)
		case errors.Is(err, guest.ErrUnreachable) && ctx.Err() == nil:
			// The guest went down by itself, or the connection did: ask again.
			if seen != from {
				cuts++
			}
			if cuts == maxCuts {
				return cutOff(at, fmt.Sprintf("the agent or the instance went down %d times in the middle of the run", cuts)), c.Close()
			}
			if seen != from || silence.IsZero() {
				silence = w.Now()
			}
			if w.Now().Sub(silence) < agentTimeout {
				err = pause(ctx)
			}
		}
		if err := errors.Join(err, c.Close()); err != nil {
			return toe.Result{}, err
		}
	}
}

// wentDown reports whether a run has failed because its instance powers off: a
// shutdown may end a step's program before it ends the agent.
func (w *work) wentDown(ctx context.Context, inst compute.Instance, c *guest.Client, result toe.Result) bool {
	if f := result.Failure; f == nil || f.ExitCode != nil { // the program ended by itself
		return false
	}
	limited, cancel := context.WithTimeout(ctx, shutdownGrace)
	defer cancel()
	if guest, err := c.Ready(limited); err == nil && guest.State != "stopping" {
		return false
	}
	_, err := inst.Wait(limited)
	return err == nil && isOff(w.lostBy(ctx, inst))
}

const (
	poweredOff = "the instance powered off in the middle of the run"
	// shutdownGrace is more than a guest without much to stop needs to power off.
	shutdownGrace = 10 * time.Second
)

// cutOff is the result of a run whose step ends the agent or the instance.
func cutOff(at toe.Event, how string) toe.Result {
	text := how + "; a step that restarts the instance must say so with the action Reboot or exit code 194"
	return toe.Result{Status: "failed", FailureMessage: text, Failure: &toe.Failure{
		Document: at.Document, Phase: at.Phase, Step: at.Step, Message: text,
	}}
}

// attach follows a run, moves from to the last event that was logged and at to
// the last one of a step.
func (w *work) attach(ctx context.Context, c *guest.Client, run guest.Run, from *int64, at *toe.Event) (toe.Result, error) {
	return c.Run(ctx, run, *from, func(e guest.Event) error {
		*from = e.Seq
		if e.Toe == nil {
			return nil
		}
		if e.Toe.Step != "" {
			*at = *e.Toe
		}
		line := Line{
			Time: e.Toe.Time, Level: e.Toe.Level, Component: w.componentName(e.Toe.Document), Phase: e.Toe.Phase, DocumentStep: e.Toe.Step,
			Stream: e.Toe.Stream, Text: e.Toe.Message, Run: run.ID, Seq: e.Seq,
		}
		w.observePhase(w.phases.tick(line), line.Time, nil)
		return w.log.write(line)
	})
}

// componentName is the name of the component that a document belongs to.
func (w *work) componentName(path string) string {
	for _, c := range w.Plan.Components {
		if c.ARN == path {
			return c.Name
		}
	}
	return path
}

func (w *work) failedComponent(result toe.Result) error {
	e := &componentError{result: result}
	if result.Failure != nil {
		e.name = w.componentName(result.Failure.Document)
	}
	return e
}

// reboot restarts the guest and returns when another boot of it answers.
func (w *work) reboot(ctx context.Context, inst compute.Instance, c *guest.Client) error {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	old, err := c.Hello(ctx)
	if err != nil {
		return err
	}
	w.log.note("The instance restarts, as a component asked for it")
	if err := c.Power(ctx, guest.PowerReboot); err != nil && !errors.Is(err, guest.ErrUnreachable) {
		return err
	}
	for {
		done, err := w.isRebooted(ctx, inst, old.BootID)
		if err != nil || done {
			return err
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("waiting for %s to restart: %w", inst.ID(), err)
		}
	}
}

// isRebooted reports whether another boot answers, and prepares it.
func (w *work) isRebooted(ctx context.Context, inst compute.Instance, oldBoot string) (bool, error) {
	c, err := w.agent(ctx, inst)
	if err != nil {
		return false, err
	}
	defer c.Close()
	hello, err := c.Hello(ctx)
	if errors.Is(err, guest.ErrUnreachable) || err == nil && hello.BootID == oldBoot {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	w.awaitBoot(ctx, c)
	if w.Workflow.Type == model.WorkflowTypeBuild && w.Plan.UserData == "" {
		// Guests empty /tmp when they boot, and the marker is there by default.
		return true, w.markCleanUp(ctx, c)
	}
	return true, nil
}
