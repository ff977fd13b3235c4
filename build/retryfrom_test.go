package build

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/toe"
)

// kept has failures keep their instances.
func kept(i *model.Image) {
	tested(i)
	i.InfrastructureConfiguration = &model.InfrastructureConfiguration{TerminateInstanceOnFailure: new(false)}
}

// failingRuns has the executor fail the first n runs of a phase, and counts all.
func (d *fakeDriver) failingRuns(phase string, n int32) *atomic.Int32 {
	runs := new(atomic.Int32)
	d.execute = func(_ context.Context, req toe.Request, _ func(toe.Event)) (toe.Result, error) {
		if !slices.Contains(req.Phases, phase) {
			return toe.Result{Status: "success"}, nil
		}
		if runs.Add(1) <= n {
			return exit(req, 1)
		}
		return toe.Result{Status: "success"}, nil
	}
	return runs
}

// retryFrom does what `ingot retry --from` does.
func (l *lab) retryFrom(arn ingot.ARN, step string) *model.Image {
	l.Helper()
	l.check(l.builder.RetryFrom(l.Context(), arn, step))
	return l.awaitAgain(arn)
}

// TestRetryFrom: a build that failed goes on in the instance that it kept, as
// often as it takes, and over kills.
func TestRetryFrom(t *testing.T) {
	kills := map[string]*stall{"undisturbed": nil}
	for _, action := range []string{actionPlace, actionTakeUp, stepApplyBuild, stepCreateImage} {
		kills["killed before "+action], kills["killed after "+action] = newStall(action, false), newStall(action, true)
	}
	for name, s := range kills {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, d := fakeLab(t)
			runs := d.failingRuns("build", 2)
			arn := l.image("web", kept, l.component("echo", echoDocument))
			image := l.build(arn)
			l.wantStatus(image, model.ImageStatusFailed)
			instance := d.launches[0]
			failed := image.State.FailureContext.WorkflowExecutionId

			image = l.retryFrom(arn, stepApplyBuild)
			l.wantStatus(image, model.ImageStatusFailed)
			l.check(l.builder.Sweep(t.Context(), nil))
			if live := d.live(); !slices.Equal(live, []string{instance}) {
				t.Fatalf("after the second failure the instances %v live, want %s", live, instance)
			}
			if again := image.State.FailureContext.WorkflowExecutionId; again == failed {
				t.Errorf("the execution that went on is %s, too", again)
			}

			if s != nil {
				l.hook = s.hook
			}
			l.check(l.builder.RetryFrom(t.Context(), arn, stepApplyBuild))
			if s != nil {
				l.reach(s)
				l.kill()
				l.start()
			}
			image = l.awaitAgain(arn)
			l.wantStatus(image, model.ImageStatusAvailable)
			if n := len(d.launches); n != 2 { // the build's, and that of the tests
				t.Errorf("%d instances were launched (%v), want one for all runs of the build and one for tests", n, d.launches)
			}
			if n := runs.Load(); n < 3 {
				t.Errorf("the components ran %d times, want 3, or more where a kill cut them off", n)
			}
			if all, retried := l.count(arn, model.WorkflowTypeBuild); all != 3 || retried != 2 {
				t.Errorf("of %d BUILD executions %d are retried, want 2 of 3", all, retried)
			}
			steps, _, err := l.db.StepExecutions(t.Context(), executionID(arn.String(), keyBuild, 3), "", maxSteps)
			l.check(err)
			for _, s := range steps {
				if s.Status != model.WorkflowStepExecutionStatusCompleted && s.Status != model.WorkflowStepExecutionStatusSkipped {
					t.Errorf("step %s of the execution that went on is %s: %s", s.Name, s.Status, s.Message)
				}
			}
			l.wantClean(d, 1)
		})
	}
}

// TestRetryFromCancelled: what a cancelled retry took over goes.
func TestRetryFromCancelled(t *testing.T) {
	for _, action := range []string{actionTakeUp, stepApplyBuild} {
		t.Run(action, func(t *testing.T) {
			l, d := fakeLab(t)
			d.failingRuns("build", 1)
			arn := l.image("web", kept, l.component("echo", echoDocument))
			l.wantStatus(l.build(arn), model.ImageStatusFailed)
			s := newStall(action, true)
			l.hook = s.hook
			l.check(l.builder.RetryFrom(t.Context(), arn, stepApplyBuild))
			l.reach(s)
			l.check(l.builder.CancelImage(t.Context(), arn))
			l.wantStatus(l.awaitAgain(arn), model.ImageStatusCancelled)
			l.wantClean(d, 0)
		})
	}
}

// TestRetryFromInTests: what was tested well stays so, and only the failed
// workflow goes on.
func TestRetryFromInTests(t *testing.T) {
	l, d := fakeLab(t)
	l.hook = failing("Again", 1)
	good := l.workflowOf(model.WorkflowTypeTest, "good", "steps:\n"+launchStep)
	bad := l.workflowOf(model.WorkflowTypeTest, "bad", "steps:\n"+launchStep+`  - {name: Again, action: WaitForSSMAgent, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
outputs: [{name: instance, value: $.stepOutputs.Launch.instanceId}]
`)
	arn := l.image("web", func(i *model.Image) {
		kept(i)
		i.Workflows = []model.WorkflowConfiguration{runs("arn:aws:imagebuilder:eu-test-1:aws:workflow/build/build-image/x.x.x"), runs(good), runs(bad)}
	})
	l.wantStatus(l.build(arn), model.ImageStatusFailed)
	launches := len(d.launches)
	l.wantStatus(l.retryFrom(arn, "Again"), model.ImageStatusAvailable)
	if n := len(d.launches); n != launches {
		t.Errorf("going on launched %d instances, want none", n-launches)
	}
	if all, retried := l.count(arn, model.WorkflowTypeTest); all != 4 || retried != 1 {
		t.Errorf("of %d TEST executions (the boot check is one) %d are retried, want 1 of 4", all, retried)
	}
	l.wantClean(d, 1)
}

// TestRetryFromLostInstance: when the instance goes away later on, the workflow
// begins again with a fresh one.
func TestRetryFromLostInstance(t *testing.T) {
	l, d := fakeLab(t)
	d.failingRuns("build", 1)
	arn := l.image("web", kept, l.component("echo", echoDocument))
	l.wantStatus(l.build(arn), model.ImageStatusFailed)
	failing := d.execute
	var lost atomic.Bool
	d.execute = func(ctx context.Context, req toe.Request, emit func(toe.Event)) (toe.Result, error) {
		if lost.CompareAndSwap(false, true) {
			d.find(d.launches[0]).crash()
			<-ctx.Done()
		}
		return failing(ctx, req, emit)
	}
	l.wantStatus(l.retryFrom(arn, stepApplyBuild), model.ImageStatusAvailable)
	if n := len(d.launches); n != 3 {
		t.Errorf("%d instances were launched (%v), want two of the build and one for tests", n, d.launches)
	}
	l.wantClean(d, 1)
}

// TestRetryFromRefusals: each says why, and what to do.
func TestRetryFromRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*model.Image)
		fails   bool
		prepare func(*lab, *fakeDriver, ingot.ARN)
		step    string
		want    string
	}{
		"not failed":          {kept, false, nil, stepApplyBuild, "Only one that has failed"},
		"unknown step":        {kept, true, nil, "Nowhere", "the steps to go on from are LaunchBuildInstance, ApplyBuildComponents"},
		"later step":          {kept, true, nil, "CreateOutputAMI", "It failed in 'ApplyBuildComponents'"},
		"terminated instance": {tested, true, nil, stepApplyBuild, "terminateInstanceOnFailure"},
		"lost instance": {kept, true, func(l *lab, d *fakeDriver, _ ingot.ARN) {
			l.check(d.find(d.launches[0]).Destroy(l.Context()))
		}, stepApplyBuild, "is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			l, d := fakeLab(t)
			if c.fails {
				d.failingRuns("build", 1)
			}
			arn := l.image("web", c.change, l.component("echo", echoDocument))
			before := l.build(arn).State.Status
			if c.prepare != nil {
				c.prepare(l, d, arn)
			}
			err := l.builder.RetryFrom(t.Context(), arn, c.step)
			if ingot.ErrorCode(err) != ingot.CodeRequest || !strings.Contains(err.Error(), c.want) {
				t.Errorf("RetryFrom = %v, want CodeRequest with %q", err, c.want)
			}
			l.wantStatus(l.get(arn), before)
		})
	}
}

// TestRetryFromLaunch: the first step needs no instance that was kept.
func TestRetryFromLaunch(t *testing.T) {
	l, d := fakeLab(t)
	d.failingRuns("build", 1)
	arn := l.image("web", tested, l.component("echo", echoDocument))
	l.wantStatus(l.build(arn), model.ImageStatusFailed)
	l.wantStatus(l.retryFrom(arn, "LaunchBuildInstance"), model.ImageStatusAvailable)
	l.wantClean(d, 1)
}
