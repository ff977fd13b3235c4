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
		console: r.stepConsole(step), record: r.stepRecord(step, record),
	}
	r.at(phase, step.Name)
	if r.resumed {
		r.console.Printf(module.Info, "Executor: System has rebooted successfully")
		r.resumed = false
	}
	r.console.Printf(module.Info, "Step %s", step.Name)
	next, err := s.perform(ctx)
	if err != nil || next == restart {
		return next, err
	}
	s.leave()
	// Nothing of a step that the log did not take counts as done.
	return next, errors.Join(r.writeRecord(), r.console.failure())
}

func (r *run) stepConsole(step *Step) *stepConsole {
	c := &stepConsole{console: r.console, silent: step.DisableLogging}
	if r.caller != nil {
		c.outer = r.caller.console
	}
	return c
}

// leave keeps of a finished step what later ones read.
func (s *stepRun) leave() {
	state := s.run.state
	state.Step = stepState{Attempt: 1}
	if key := outputKey(state.Position.Document, s.phase, s.step.Name); s.run.referenced[key] {
		state.Outputs[key] = s.outputs
	}
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
	if l := step.loop; l != nil {
		s.Loop = &loopRecord{Name: l.name, Type: l.kind, FailedIterations: []int{}}
	}
	phase.Steps = append(phase.Steps, s)
	return s
}

// stepRun is a step under way.
type stepRun struct {
	run      *run
	phase    string
	step     *Step
	console  *stepConsole
	record   *stepRecord
	executed bool            // at least one attempt was made
	inputs   []module.Values // of the last attempt
	outputs  []module.Values
}

// perform asks the condition of the step and does what it says.
func (s *stepRun) perform(ctx context.Context) (outcome, error) {
	decision, err := s.decide(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return s.cancelled(ctx, err)
	case err != nil:
		s.console.Printf(module.Error, "%v", err)
		return s.fail(err)
	case decision == abort:
		return s.fail(errAborted)
	case decision == skip:
		s.console.Printf(module.Info, "Step %s skipped by its condition", s.step.Name)
		s.record.Status, s.record.EndTime = statusSkipped, stamp(s.run.options.Now())
		return goOn, nil
	}
	s.run.state.Step.Decided = true
	return s.attempts(ctx)
}

// errAborted is the failure of a step whose if says Abort (§8.1).
var errAborted = errors.New("Step aborted by its 'if' condition")

// decide evaluates the step's if, unless that happened before a reboot.
func (s *stepRun) decide(ctx context.Context) (decision, error) {
	c := s.step.conditional
	if c == nil || s.run.state.Step.Decided {
		return execute, nil
	}
	r := s.resolver()
	holds, err := s.evaluation(r, s.call(r)).holds(ctx, &c.condition)
	if holds {
		return c.then, err
	}
	return c.otherwise, err
}

func (s *stepRun) resolver() *resolver {
	return &resolver{run: s.run, document: s.run.state.Position.Document, phase: s.phase, step: s.step, memo: map[string]string{}}
}

// evaluation evaluates conditions and tells application.log how.
func (s *stepRun) evaluation(r *resolver, call *module.Call) *evaluation {
	return &evaluation{resolver: r, call: call, trace: func(message string, args ...any) {
		if !s.step.DisableLogging {
			s.run.log.Debug(message, append(args, "phase", s.phase, "step", s.step.Name)...)
		}
	}}
}

// attempts repeats the step until it succeeds, its attempts are used up, or
// repeating cannot help.
func (s *stepRun) attempts(ctx context.Context) (outcome, error) {
	progress := &s.run.state.Step
	s.executed = true
	for {
		err := s.attempt(ctx)
		if reboot := rebootOf(err); reboot != nil {
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
			return s.cancelled(ctx, err)
		}
		if isFinal(err) || progress.Attempt >= s.step.MaxAttempts {
			return s.fail(err)
		}
		s.console.Printf(module.Warn, "Step %s attempt %d of %d failed: %v", s.step.Name, progress.Attempt, s.step.MaxAttempts, err)
		*progress = stepState{Attempt: progress.Attempt + 1, Decided: true}
	}
}

// cancelled ends a step whose run was cancelled.
func (s *stepRun) cancelled(ctx context.Context, err error) (outcome, error) {
	_, failErr := s.fail(err)
	return stop, errors.Join(fmt.Errorf("run cancelled in step '%s' of phase '%s': %w", s.step.Name, s.phase, context.Cause(ctx)), failErr)
}

// attempt runs the module: once, or once for every value of the step's loop.
func (s *stepRun) attempt(ctx context.Context) (err error) {
	ctx, cancel := s.withTimeout(ctx)
	defer cancel()
	r := s.resolver()
	if s.step.loop == nil {
		s.outputs, err = s.execute(ctx, r)
	} else {
		err = s.iterate(ctx, r)
	}
	s.run.log.Debug("attempt ended", "phase", s.phase, "step", s.step.Name, "attempt", s.run.state.Step.Attempt, "error", err)
	return err
}

// execute resolves the inputs and runs the module.
func (s *stepRun) execute(ctx context.Context, r *resolver) (outputs []module.Values, err error) {
	if s.inputs, err = r.inputs(ctx); err != nil {
		err = timedOut(ctx, err)
		s.console.Printf(module.Error, "%v", err)
		return nil, err
	}
	m := s.step.module
	s.console.Printf(module.Info, "%s: STARTED EXECUTION", m.Name)
	outputs, err = m.Run(ctx, s.call(r))
	err = timedOut(ctx, err)
	if err != nil && rebootOf(err) == nil && !isExit(err) {
		s.console.Printf(module.Error, "%s: %v", m.Name, err)
	}
	s.console.Printf(module.Info, "%s: FINISHED EXECUTION", m.Name)
	return outputs, err
}

// call is a use of the step's module.
func (s *stepRun) call(r *resolver) *module.Call {
	c := &module.Call{
		Inputs: s.inputs, Dir: s.run.state.Request.WorkingDirectory, Env: s.run.env, Console: s.console,
		Cloud: s.run.cloud, Scripts: &s.run.scripts, Execute: s.executeDocument,
	}
	c.Holds = func(ctx context.Context) (bool, error) { return s.evaluation(r, c).holds(ctx, s.step.assertion) }
	return c
}

// timeoutError is the cause of an attempt's context that ran out of time.
type timeoutError struct {
	what    string // Step or Loop
	seconds int
}

func (e *timeoutError) Error() string {
	return fmt.Sprintf("%s timed out after %d seconds", e.what, e.seconds)
}

// timedOut replaces whatever a module says by the reason for it.
func timedOut(ctx context.Context, err error) error {
	if timeout := (*timeoutError)(nil); err != nil && errors.As(context.Cause(ctx), &timeout) {
		return timeout
	}
	return err
}

func (s *stepRun) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.step.TimeoutSeconds < 0 || s.step.module.NoTimeout {
		return context.WithCancel(ctx)
	}
	timeout := &timeoutError{"Step", s.step.TimeoutSeconds}
	if s.step.loop != nil {
		timeout.what = "Loop"
	}
	return context.WithTimeoutCause(ctx, time.Duration(timeout.seconds)*time.Second, timeout)
}

// rebootOf is the reboot that an error asks for, nil if it is another one.
func rebootOf(err error) (r *module.Reboot) {
	errors.As(err, &r)
	return r
}

func isExit(err error) bool {
	var e *exec.ExitError
	return errors.As(err, &e)
}

// isFinal reports an error that another attempt cannot mend.
func isFinal(err error) bool {
	var u *unresolvedError
	return errors.As(err, &u) && !u.fetched
}

// finish records the end of the step.
func (s *stepRun) finish(status string) {
	if s.executed {
		s.run.state.Result.ExecutedStepCount++
	}
	s.record.Status, s.record.EndTime = status, stamp(s.run.options.Now())
	if !s.step.DisableLogging {
		s.record.Inputs, s.record.Outputs = s.recordedInputs(), entries(s.recorded(s.outputs))
	}
}

// recordedInputs are the resolved inputs; of a loop and of a condition, which
// have no such thing, the declared ones.
func (s *stepRun) recordedInputs() string {
	n := s.step.node.Get("inputs")
	if n == nil || s.step.loop == nil && s.step.assertion == nil {
		return entries(s.recorded(s.inputs))
	}
	return entries(listed(n))
}

// recorded are values as the record has them: without secrets, and bounded.
func (s *stepRun) recorded(list []module.Values) []module.Values {
	return mapTexts(s.run.mask.values(list), func(text string) string {
		kept := s.run.recording.shorten(text)
		if len(kept) < len(text) {
			s.console.Printf(module.Warn, "detailedoutput.json has only the last %d bytes of a text of %d", len(kept), len(text))
		}
		return kept
	})
}

// entries is a list of values as JSON. No inputs at all are an empty list.
func entries[T any](list []T) string {
	if len(list) == 0 {
		return "[]"
	}
	b, err := marshal(list)
	if err != nil { // texts, numbers and booleans always encode
		panic(err)
	}
	if string(b) == "[{}]" {
		return "[]"
	}
	return string(b)
}

// fail records that the step has failed for good and applies its onFailure.
func (s *stepRun) fail(err error) (outcome, error) {
	s.record.FailureMessage = s.run.mask.text(err.Error())
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
		Action: s.step.Action, Message: s.record.FailureMessage, Tail: s.console.lastLines(),
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() >= 0 {
		code := exit.ExitCode()
		f.ExitCode = &code
	}
	return f
}
