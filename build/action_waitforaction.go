package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"ingot.dev/ingot"
	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/model"
)

// A step that waits for an action is three things of the durable function: the
// step is shown as waiting, the run waits for a signal, and the answer is read.
// The answer is in the step's record; the signal only says that it is there.
// Source: workflows.md §7.14.

// waitForAction waits until somebody answers, or the step's time is up.
func (w *walk) waitForAction(t task) (map[string]any, error) {
	if err := w.ctx.Step(actionWait+":"+t.key(), "", t, nil); err != nil {
		return nil, err
	}
	if err := w.ctx.Wait(t.signal(), t.Step.Timeout, nil); err != nil && !errors.Is(err, flow.ErrTimeout) {
		return nil, err
	}
	var out stepResult
	err := w.ctx.Step(actionAnswer+":"+t.key(), "", t, &out)
	return out.Outputs, err
}

// signal names the wait of an attempt.
func (t task) signal() string { return "action:" + t.key() }

// beginWait shows the step as waiting, tells whom it concerns, and gives the
// build's slot to others.
func (b *Builder) beginWait(ctx context.Context, t task) (_ any, err error) {
	w, err := b.enter(ctx, t)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.leave()) }()
	if err := w.begin(ctx); err != nil {
		return nil, err
	}
	notice := ingot.ActionNotice{Topic: w.text("snsTopicArn"), Function: w.text("lambdaFunctionName")}
	if f := notice.Function; f != "" && (b.HasFunction == nil || !b.HasFunction(f)) {
		return w.conclude(ctx, nil, fmt.Errorf("nothing stands in for the function %s: name an endpoint for it in the setting notifications.functions", f))
	}
	if payload := w.text("payload"); payload != "" {
		notice.Payload = json.RawMessage(payload)
	}
	err = b.Records.Write(ctx, func(tx ingot.Tx) error {
		s, err := tx.StepExecution(ctx, w.stepID())
		if err != nil || s.Wait != nil && s.Wait.Signal == t.signal() { // told before the server was killed
			return err
		}
		s.Wait = &ingot.StepWait{Signal: t.signal()}
		return errors.Join(tx.PutStepExecution(ctx, s), ingot.TellActionAwaited(ctx, tx, s, notice, b.Now()))
	})
	if err != nil {
		return nil, fmt.Errorf("recording that step %s waits: %w", w.Step.Name, err)
	}
	w.log.note("%s waits for an action: `ingot approve %s` or `ingot reject %s`", w.Step.Name, w.stepID(), w.stepID())
	b.attendance.wait(t.Plan.Image, t.signal())
	return nil, nil
}

// readAnswer ends a step that waited.
func (b *Builder) readAnswer(ctx context.Context, t task) (_ stepResult, err error) {
	w, err := b.enter(ctx, t)
	if err != nil {
		return stepResult{}, err
	}
	defer func() { err = errors.Join(err, w.leave()) }()
	answer, err := w.answer(ctx)
	b.attendance.resume(t.Plan.Image, t.signal()) // after the record: rejoin does not find the wait any more
	switch {
	case err != nil:
		return w.conclude(ctx, nil, err)
	case answer == nil:
		return w.conclude(ctx, nil, errTimedOut)
	case answer.Action == model.WorkflowStepActionTypeStop:
		return w.conclude(ctx, nil, fmt.Errorf("stopped by SendWorkflowStepAction: %s", reasonOf(answer)))
	}
	return w.conclude(ctx, map[string]any{"action": string(answer.Action), "reason": answer.Reason}, nil)
}

func reasonOf(a *ingot.StepAnswer) string {
	if a.Reason == "" {
		return "no reason given"
	}
	return a.Reason
}

// answer reads the answer to the wait. When there is none, none is taken any more.
func (w *work) answer(ctx context.Context) (answer *ingot.StepAnswer, err error) {
	err = w.Records.Write(ctx, func(tx ingot.Tx) error {
		s, err := tx.StepExecution(ctx, w.stepID())
		if err != nil || s.Wait == nil {
			return err
		}
		s.Wait.Over, answer = true, s.Wait.Answer
		return tx.PutStepExecution(ctx, s)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the answer to step %s: %w", w.Step.Name, err)
	}
	return answer, nil
}

// AnswerStep lets the build of a step that has been answered go on. It is
// idempotent.
func (b *Builder) AnswerStep(ctx context.Context, s ingot.StepExecution) error {
	image, err := ingot.ParseARN(s.ImageBuildVersionArn)
	if err != nil {
		return err
	}
	run, err := b.runOf(ctx, image)
	if err != nil {
		return err
	}
	return b.Engine.Signal(ctx, run.id(), s.Wait.Signal, nil)
}

// rejoin takes up the waits of a build after a restart: it signals answers that
// were only recorded, and a build that does nothing but wait holds no slot.
func (b *Builder) rejoin(ctx context.Context, image ingot.ARN) error {
	var answered []ingot.StepExecution
	busy := 0
	err := b.Records.Write(ctx, func(tx ingot.Tx) error {
		steps, err := runningSteps(ctx, tx, image)
		for _, s := range steps {
			switch {
			case s.IsWaiting():
				b.attendance.wait(image.String(), s.Wait.Signal)
			case s.Wait != nil && s.Wait.Answer != nil && !s.Wait.Over:
				answered = append(answered, s)
				busy++
			default:
				busy++
			}
		}
		return err
	})
	if busy == 0 && b.attendance.isIdle(image.String()) {
		b.slots.give(image.String())
	}
	for _, s := range answered {
		err = errors.Join(err, b.AnswerStep(ctx, s))
	}
	return err
}

// runningSteps are the steps of an image's build that have begun and not ended.
func runningSteps(ctx context.Context, r ingot.ExecutionReader, image ingot.ARN) (running []ingot.StepExecution, err error) {
	list, err := executions(ctx, r, image)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if !isRunning(e) {
			continue
		}
		steps, _, err := r.StepExecutions(ctx, e.WorkflowExecutionId, "", maxSteps)
		if err != nil {
			return nil, err
		}
		for _, s := range steps {
			if s.Status == model.WorkflowStepExecutionStatusRunning {
				running = append(running, s)
			}
		}
	}
	return running, nil
}
