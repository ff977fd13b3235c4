package toe

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"ingot.dev/ingot/toe/module"
)

// step runs one step with its attempts and records what became of it.
func (r *run) step(ctx context.Context, phase string, step *Step, record *phaseRecord) (outcome, error) {
	s := &stepRun{
		run: r, phase: phase, step: step,
		console: &stepConsole{console: r.console, silent: step.DisableLogging},
		record:  r.stepRecord(step, record),
	}
	r.at(phase, step.Name)
	if r.resumed {
		r.console.Printf(module.Info, "Executor: System has rebooted successfully")
		r.resumed = false
	}
	r.console.Printf(module.Info, "Step %s", step.Name)
	next, err := s.attempts(ctx)
	if err != nil || next == restart {
		return next, err
	}
	r.state.Step = stepState{Attempt: 1}
	if key := outputKey(r.state.Position.Document, phase, step.Name); r.referenced[key] {
		r.state.Outputs[key] = s.outputs
	}
	// Nothing of a step that the log did not take counts as done.
	return next, errors.Join(r.writeRecord(), r.console.failure())
}

// stepRecord is the record of the step: after a reboot the one begun before.
func (r *run) stepRecord(step *Step, phase *phaseRecord) *stepRecord {
	if n := len(phase.Steps); n > 0 && phase.Steps[n-1].Name == step.Name {
		return phase.Steps[n-1]
	}
	s := &stepRecord{
		Name: step.Name, Status: statusRunning, TimeoutSeconds: step.TimeoutSeconds, OnFailure: step.OnFailure,
		MaxAttempts: step.MaxAttempts, Action: step.Action, StartTime: stamp(r.options.Now()), Inputs: "[]", Outputs: "[]",
	}
	phase.Steps = append(phase.Steps, s)
	return s
}

// stepRun is a step under way.
type stepRun struct {
	run     *run
	phase   string
	step    *Step
	console *stepConsole
	record  *stepRecord
	inputs  []module.Values // of the last attempt
	outputs []module.Values
}

// attempts repeats the step until it succeeds, its attempts are used up, or
// repeating cannot help.
func (s *stepRun) attempts(ctx context.Context) (outcome, error) {
	for {
		err := s.attempt(ctx)
		if reboot := (*module.Reboot)(nil); errors.As(err, &reboot) {
			if err = s.run.mayReboot(); err == nil {
				return s.pause(reboot), nil
			}
			return s.fail(err) // another attempt would ask again
		}
		if err == nil {
			s.finish(statusSuccess)
			return goOn, nil
		}
		if ctx.Err() != nil {
			_, recordErr := s.fail(err)
			return stop, errors.Join(fmt.Errorf("run cancelled in step '%s' of phase '%s': %w", s.step.Name, s.phase, context.Cause(ctx)), recordErr)
		}
		if unresolved := (*unresolvedError)(nil); errors.As(err, &unresolved) || s.run.state.Step.Attempt >= s.step.MaxAttempts {
			return s.fail(err)
		}
		s.console.Printf(module.Warn, "Step %s attempt %d of %d failed: %v", s.step.Name, s.run.state.Step.Attempt, s.step.MaxAttempts, err)
		s.run.state.Step.Attempt++
	}
}

// attempt resolves the inputs and runs the module once.
func (s *stepRun) attempt(ctx context.Context) (err error) {
	r := &resolver{run: s.run, document: s.run.state.Position.Document, phase: s.phase, step: s.step, memo: map[string]string{}}
	s.outputs = nil
	if s.inputs, err = r.inputs(); err != nil {
		s.console.Printf(module.Error, "%v", err)
		return err
	}
	ctx, cancel := s.withTimeout(ctx)
	defer cancel()
	m := s.step.module
	s.console.Printf(module.Info, "%s: STARTED EXECUTION", m.Name)
	s.outputs, err = m.Run(ctx, &module.Call{
		Inputs: s.inputs, Dir: s.run.state.Request.WorkingDirectory, Env: s.run.env, Console: s.console,
	})
	s.run.log.Debug("attempt ended", "phase", s.phase, "step", s.step.Name, "attempt", s.run.state.Step.Attempt, "error", err)
	if timeout := (*timeoutError)(nil); err != nil && errors.As(context.Cause(ctx), &timeout) {
		err = timeout // whatever the module says, this is why
	}
	if err != nil && !isReboot(err) && !isExit(err) {
		s.console.Printf(module.Error, "%s: %v", m.Name, err)
	}
	s.console.Printf(module.Info, "%s: FINISHED EXECUTION", m.Name)
	return err
}

// timeoutError is the cause of an attempt's context that ran out of time.
type timeoutError struct{ seconds int }

func (e *timeoutError) Error() string {
	return fmt.Sprintf("Step timed out after %d seconds", e.seconds)
}

func (s *stepRun) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.step.TimeoutSeconds < 0 || s.step.module.NoTimeout {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, time.Duration(s.step.TimeoutSeconds)*time.Second, &timeoutError{s.step.TimeoutSeconds})
}

func isReboot(err error) bool {
	var r *module.Reboot
	return errors.As(err, &r)
}

func isExit(err error) bool {
	var e *exec.ExitError
	return errors.As(err, &e)
}

// finish records the end of the step.
func (s *stepRun) finish(status string) {
	s.run.state.Result.ExecutedStepCount++
	s.record.Status, s.record.EndTime = status, stamp(s.run.options.Now())
	if !s.step.DisableLogging {
		s.record.Inputs, s.record.Outputs = entries(s.inputs), entries(s.outputs)
	}
}

// entries is a list of values as JSON. No inputs at all are an empty list.
func entries(list []module.Values) string {
	if len(list) == 0 || len(list) == 1 && len(list[0]) == 0 {
		return "[]"
	}
	b, err := marshal(list)
	if err != nil { // texts, numbers and booleans always encode
		panic(err)
	}
	return string(b)
}

// fail records that the step has failed for good and applies its onFailure.
func (s *stepRun) fail(err error) (outcome, error) {
	s.record.FailureMessage = err.Error()
	result := &s.run.state.Result
	if s.step.OnFailure == Ignore {
		result.IgnoredFailedStepCount++
		s.finish(statusIgnoredFailure)
		return goOn, nil
	}
	result.FailedStepCount++
	s.finish(statusFailed)
	if result.Failure == nil {
		result.Failure = s.failure(err)
		s.run.state.Stderr = string(s.console.stderr)
	}
	if s.step.OnFailure == Continue {
		return goOn, nil
	}
	return stop, nil
}

func (s *stepRun) failure(err error) *Failure {
	f := &Failure{
		Document: s.run.documents[s.run.state.Position.Document].Path, Phase: s.phase, Step: s.step.Name,
		Action: s.step.Action, Message: err.Error(), Tail: s.console.tail,
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() >= 0 {
		code := exit.ExitCode()
		f.ExitCode = &code
	}
	return f
}
