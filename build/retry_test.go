package build

import (
	"path/filepath"
	"testing"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// retry does what RetryImage does.
func (l *lab) retry(arn ingot.ARN) *model.Image {
	l.Helper()
	l.check(l.db.Write(l.Context(), func(tx ingot.Tx) error { return ingot.RetryImage(l.Context(), tx, arn, time.Now()) }))
	l.check(l.builder.StartImage(l.Context(), arn))
	return l.awaitAgain(arn)
}

// awaitAgain waits for the end of a retry: the log has an end for each run.
func (l *lab) awaitAgain(arn ingot.ARN) *model.Image {
	l.Helper()
	record, err := l.db.Get(l.Context(), arn)
	l.check(err)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		ends := 0
		l.check(Follow(l.Context(), filepath.Join(l.dir, "builds", ID(arn)), false, func(line Line) {
			if line.End != "" {
				ends++
			}
		}))
		if ends == ingot.ImageRun(record) {
			return l.get(arn)
		}
	}
	l.Fatalf("the retry of %s does not end:\n%s", arn, l.log(arn))
	return nil
}

// count counts the executions of a type, and those that were superseded.
func (l *lab) count(arn ingot.ARN, t model.WorkflowType) (all, retried int) {
	l.Helper()
	list, _, err := l.db.WorkflowExecutions(l.Context(), arn, "", 25)
	l.check(err)
	for _, e := range list {
		if e.Type == t {
			all++
			if e.Retried {
				retried++
			}
		}
	}
	return all, retried
}

// TestG7RetryDistribution: api.md, case G7.
func TestG7RetryDistribution(t *testing.T) {
	l, d := fakeLab(t)
	l.hook = failing("Copy", 1)
	w := l.workflowOf(model.WorkflowTypeDistribution, "sending", `steps:
  - {name: Copy, action: DistributeImage}
outputs: [{name: copied, value: "$.stepOutputs.Copy.distributedImages[0].amiId"}]
`)
	arn := l.image("web", with(runs("arn:aws:imagebuilder:eu-test-1:aws:workflow/build/build-image/x.x.x"), runs(w)))
	image := l.build(arn)
	l.wantStatus(image, model.ImageStatusFailed)
	if len(image.OutputResources.Amis) != 1 || image.State.FailureContext.ImageStatus != model.ImageStatusDistributing {
		t.Errorf("the failed image has %+v and the context %+v", image.OutputResources, image.State.FailureContext)
	}
	again := l.retry(arn)
	l.wantStatus(again, model.ImageStatusAvailable)
	if before, after := image.OutputResources.Amis[0].Image, again.OutputResources.Amis[0].Image; before != after {
		t.Errorf("the AMI was %s and is %s", before, after)
	}
	if builds, _ := l.count(arn, model.WorkflowTypeBuild); builds != 1 {
		t.Errorf("%d BUILD workflows ran, want one", builds)
	}
	if all, retried := l.count(arn, model.WorkflowTypeDistribution); all != 2 || retried != 1 {
		t.Errorf("of %d DISTRIBUTION executions %d are retried, want 1 of 2", all, retried)
	}
	l.wantClean(d, 1)
}

// TestRetryTests: the tests run again on the AMI that was built, over a kill.
func TestRetryTests(t *testing.T) {
	l, d := fakeLab(t)
	l.hook = failing(stepApplyTest, 1)
	arn := l.image("web", tested, l.component("echo", echoDocument))
	l.wantStatus(l.build(arn), model.ImageStatusFailed)
	launches := len(d.launches)
	l.check(l.db.Write(t.Context(), func(tx ingot.Tx) error { return ingot.RetryImage(t.Context(), tx, arn, time.Now()) }))
	l.wantStatus(l.get(arn), model.ImageStatusTesting)
	l.kill() // before the build heard of it
	l.start()
	l.wantStatus(l.awaitAgain(arn), model.ImageStatusAvailable)
	if n := len(d.launches) - launches; n != 1 {
		t.Errorf("the retry launched %d instances, want one for the tests", n)
	}
	if builds, _ := l.count(arn, model.WorkflowTypeBuild); builds != 1 {
		t.Errorf("%d BUILD workflows ran, want one", builds)
	}
	l.wantClean(d, 1)
	if err := l.db.Write(t.Context(), func(tx ingot.Tx) error { return ingot.RetryImage(t.Context(), tx, arn, time.Now()) }); ingot.ErrorCode(err) != ingot.CodeRequest {
		t.Errorf("a retry of an AVAILABLE image: %v, want CodeRequest", err)
	}
}
