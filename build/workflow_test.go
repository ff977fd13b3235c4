package build

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/workflow"
)

// The conformance cases of workflows.md §13 that need a build; WF-1 to WF-3,
// WF-6 and WF-14 are about requests alone, and tested with them.

// workflow stores a workflow with a document, without its schemaVersion.
func (l *lab) workflowOf(t model.WorkflowType, name, document string) string {
	l.Helper()
	arn := l.arn("workflow/" + strings.ToLower(string(t)) + "/" + name + "/1.0.0/1")
	l.put(ingot.Record{ARN: arn, Name: name}, ingot.Workflow{Workflow: model.Workflow{
		Arn: arn.String(), Name: name, Type: t, Data: "schemaVersion: 1.0\n" + document,
	}})
	return arn.String()
}

// with gives an image workflows, and switches its tests on.
func with(list ...model.WorkflowConfiguration) func(*model.Image) {
	return func(i *model.Image) { tested(i); i.Workflows = list }
}

func runs(arn string, parameters ...model.WorkflowParameter) model.WorkflowConfiguration {
	return model.WorkflowConfiguration{WorkflowArn: arn, Parameters: parameters}
}

// step is the record of a step of an image's first run.
func (l *lab) step(arn ingot.ARN, key, name string) ingot.StepExecution {
	l.Helper()
	s, err := l.db.StepExecution(l.Context(), stepID(executionID(arn.String(), key, 1), name))
	l.check(err)
	return s
}

// failing makes an action of steps with a name fail so many times.
func failing(step string, times int) func(string, flow.Action) flow.Action {
	var calls atomic.Int32
	return func(name string, do flow.Action) flow.Action {
		return func(ctx context.Context, in json.RawMessage) (any, error) {
			var t task
			if name != step || json.Unmarshal(in, &t) != nil || t.Step.Name == "" {
				return do(ctx, in)
			}
			if n := int(calls.Add(1)); n > times {
				return do(ctx, in)
			}
			broken, err := json.Marshal(with0(t))
			if err != nil {
				return nil, err
			}
			return do(ctx, broken)
		}
	}
}

// with0 names an instance that the build does not have.
func with0(t task) task {
	t.Step.Inputs = map[string]any{"instanceId": "i-00000000000000000"}
	return t
}

const launchStep = `  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
`

// WF-4: typed parameters.
func TestWF4TypedParameters(t *testing.T) {
	l, _ := fakeLab(t)
	w := l.workflowOf(model.WorkflowTypeBuild, "typed", `parameters: [{name: retries, type: integer, default: 3}, {name: labels, type: stringList}]
steps:
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - {name: Make, action: CreateImage, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Ask, action: RegisterImage, onFailure: Continue, inputs: {description.$: $.parameters.retries}}
`)
	arn := l.image("web", with(runs(w, model.WorkflowParameter{Name: "retries", Value: []string{"5"}}, model.WorkflowParameter{Name: "labels", Value: []string{"a"}})))
	l.wantStatus(l.build(arn), model.ImageStatusAvailable)
	if s := l.step(arn, keyBuild, "Ask"); s.Inputs != `{"description":5}` || s.Status != model.WorkflowStepExecutionStatusFailed {
		t.Errorf("the step is %s with the inputs %s, want FAILED with a number", s.Status, s.Inputs)
	}
	bad := l.image("bad", with(runs(w, model.WorkflowParameter{Name: "retries", Value: []string{"x"}}, model.WorkflowParameter{Name: "labels"})))
	image := l.build(bad)
	l.wantStatus(image, model.ImageStatusFailed)
	if !strings.Contains(image.State.Reason, "'retries'") {
		t.Errorf("the reason is %q, want the parameter", image.State.Reason)
	}
}

// WF-5: a condition on a parameter.
func TestWF5Condition(t *testing.T) {
	for value, want := range map[string]model.WorkflowStepExecutionStatus{
		"3": model.WorkflowStepExecutionStatusCompleted, "2": model.WorkflowStepExecutionStatusSkipped,
	} {
		t.Run(value, func(t *testing.T) {
			l, d := fakeLab(t)
			w := l.workflowOf(model.WorkflowTypeTest, "conditional", `parameters: [{name: retries, type: integer}]
steps:
`+launchStep+`  - {name: Wait, action: WaitForSSMAgent, if: {numberGreaterThan: 2, value: $.parameters.retries}, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
`)
			arn := l.image("web", with(runs(w, model.WorkflowParameter{Name: "retries", Value: []string{value}})))
			l.wantStatus(l.build(arn), model.ImageStatusAvailable)
			s := l.step(arn, keyTest, "Wait")
			if s.Status != want {
				t.Errorf("the step is %s, want %s", s.Status, want)
			}
			if unresolved := strings.Contains(s.Inputs, "instanceId.$"); unresolved != (want == model.WorkflowStepExecutionStatusSkipped) {
				t.Errorf("the inputs are %s", s.Inputs)
			}
			if want == model.WorkflowStepExecutionStatusSkipped && (s.StartTime != s.EndTime || s.StartTime == "") {
				t.Errorf("it was skipped from %s to %s, want one time", s.StartTime, s.EndTime)
			}
			l.wantClean(d, 0)
			if amis, err := l.db.ListAMIs(t.Context(), arn.Scope()); err != nil || len(amis) != 1 {
				t.Errorf("there are %d AMIs, want the parent only (%v)", len(amis), err)
			}
		})
	}
}

const workDocument = `steps:
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - {name: Work, action: ExecuteComponents, onFailure: %s, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Make, action: CreateImage, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Stop, action: TerminateInstance, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
`

// WF-7: a failure that aborts is rolled back.
func TestWF7Abort(t *testing.T) {
	l, d := fakeLab(t)
	l.hook = failing("Work", 1)
	w := l.workflowOf(model.WorkflowTypeBuild, "aborting", fmt.Sprintf(workDocument, "Abort"))
	arn := l.image("web", with(runs(w)), l.component("echo", echoDocument))
	image := l.build(arn)
	l.wantStatus(image, model.ImageStatusFailed)
	l.wantSteps(arn, keyBuild, model.WorkflowExecutionStatusRollbackCompleted,
		"Launch COMPLETED COMPLETED", "Work FAILED SKIPPED", "Make PENDING", "Stop PENDING")
	l.wantClean(d, 0)
	if !strings.HasPrefix(image.State.Reason, "Workflow Execution ID: 'wf-") {
		t.Errorf("the reason is %q", image.State.Reason)
	}
}

// WF-8: one that does not abort is counted.
func TestWF8Continue(t *testing.T) {
	l, d := fakeLab(t)
	l.hook = failing("Work", 1)
	w := l.workflowOf(model.WorkflowTypeBuild, "going", fmt.Sprintf(workDocument, "Continue"))
	arn := l.image("web", with(runs(w)), l.component("echo", echoDocument))
	l.wantStatus(l.build(arn), model.ImageStatusAvailable)
	l.wantSteps(arn, keyBuild, model.WorkflowExecutionStatusCompleted, "Launch COMPLETED", "Work FAILED", "Make COMPLETED", "Stop COMPLETED")
	e, err := l.db.WorkflowExecution(t.Context(), executionID(arn.String(), keyBuild, 1))
	l.check(err)
	if *e.TotalStepsFailed != 1 || *e.TotalStepsSucceeded != 3 || *e.TotalStepCount != 4 {
		t.Errorf("of %d steps %d failed and %d succeeded", *e.TotalStepCount, *e.TotalStepsFailed, *e.TotalStepsSucceeded)
	}
	l.wantClean(d, 1)
}

// TestRollbackDisabled: the step says so, and the build's end removes the
// instance all the same.
func TestRollbackDisabled(t *testing.T) {
	l, d := fakeLab(t)
	l.hook = failing("Work", 1)
	document := strings.Replace(fmt.Sprintf(workDocument, "Abort"), "action: LaunchInstance,", "action: LaunchInstance, rollbackEnabled: $.parameters.undo,", 1)
	w := l.workflowOf(model.WorkflowTypeBuild, "keeping", "parameters: [{name: undo, type: boolean, default: false}]\n"+document)
	arn := l.image("web", with(runs(w)), l.component("echo", echoDocument))
	l.wantStatus(l.build(arn), model.ImageStatusFailed)
	l.wantSteps(arn, keyBuild, model.WorkflowExecutionStatusFailed,
		"Launch COMPLETED SKIPPED", "Work FAILED SKIPPED", "Make PENDING", "Stop PENDING")
	l.wantClean(d, 0)
}

// WF-9: retries of a step; those of a launch have an instance each.
func TestWF9Retry(t *testing.T) {
	l, d := fakeLab(t)
	l.hook = failing("Work", 2)
	document := strings.Replace(fmt.Sprintf(workDocument, "Abort"), "action: ExecuteComponents,", "action: ExecuteComponents, retry: {maxAttempts: 3, backoffSeconds: 0},", 1)
	w := l.workflowOf(model.WorkflowTypeBuild, "trying", document)
	arn := l.image("web", with(runs(w)), l.component("echo", echoDocument))
	l.wantStatus(l.build(arn), model.ImageStatusAvailable)
	s := l.step(arn, keyBuild, "Work")
	if s.Status != model.WorkflowStepExecutionStatusCompleted || *s.AttemptNumber != 3 || *s.MaxAttempts != 3 {
		t.Errorf("the step is %s after attempt %d of %d", s.Status, *s.AttemptNumber, *s.MaxAttempts)
	}
	l.wantClean(d, 1)
}

const approvalDocument = `steps:
  - {name: Approve, action: WaitForAction, timeoutSeconds: %d, inputs: {payload: '{"a": 1}', snsTopicArn: 'arn:aws:sns:eu-test-1:123456789012:ops'}}
outputs: [{name: why, value: $.stepOutputs.Approve.reason}]
`

// answer does what SendWorkflowStepAction does.
func (l *lab) answer(s ingot.StepExecution, action model.WorkflowStepActionType, reason string) error {
	l.Helper()
	var answered ingot.StepExecution
	err := l.db.Write(l.Context(), func(tx ingot.Tx) (err error) {
		answered, err = ingot.AnswerStep(l.Context(), tx, s.StepExecutionId, s.ImageBuildVersionArn, ingot.StepAnswer{Action: action, Reason: reason})
		return err
	})
	if err != nil {
		return err
	}
	return l.builder.AnswerStep(l.Context(), answered)
}

// waiting waits until one step of the lab's account waits.
func (l *lab) waiting() ingot.StepExecution {
	l.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		list, _, err := l.db.WaitingSteps(l.Context(), ingot.Scope{Account: labAccount, Region: labRegion}, "", 25)
		l.check(err)
		if len(list) == 1 {
			return list[0]
		}
	}
	l.Fatal("no step waits")
	return ingot.StepExecution{}
}

// WF-10: an approval, also over a restart.
func TestWF10Approval(t *testing.T) {
	for name, restart := range map[string]func(*lab){
		"resume":         func(*lab) {},
		"resume, killed": func(l *lab) { l.kill(); l.start() },
	} {
		t.Run(name, func(t *testing.T) {
			s := approval(t, model.WorkflowStepActionTypeResume, restart, model.ImageStatusAvailable)
			if want := `{"action":"RESUME","reason":"ok by ops"}`; s.Outputs != want {
				t.Errorf("the outputs are %s, want %s", s.Outputs, want)
			}
		})
	}
}

// WF-11: a refusal.
func TestWF11Refusal(t *testing.T) {
	s := approval(t, model.WorkflowStepActionTypeStop, func(*lab) {}, model.ImageStatusFailed)
	if s.Status != model.WorkflowStepExecutionStatusFailed || !strings.Contains(s.Message, "ok by ops") {
		t.Errorf("the step is %s: %s", s.Status, s.Message)
	}
}

// approval builds an image that waits for an answer, and answers twice, the
// second time in vain. It returns the step at the end.
func approval(t *testing.T, answer model.WorkflowStepActionType, meanwhile func(*lab), want model.ImageStatus) ingot.StepExecution {
	l, d := fakeLab(t)
	w := l.workflowOf(model.WorkflowTypeTest, "approval", fmt.Sprintf(approvalDocument, 3600))
	arn := l.image("web", with(runs(w)))
	l.check(l.builder.StartImage(t.Context(), arn))
	s := l.waiting()
	if s.Name != "Approve" || s.Status != model.WorkflowStepExecutionStatusRunning {
		t.Errorf("%s is %s, want Approve RUNNING", s.Name, s.Status)
	}
	l.wantFreeSlot(arn)
	meanwhile(l)
	l.check(l.answer(s, answer, "ok by ops"))
	l.wantStatus(l.await(arn), want)
	if err := l.answer(s, answer, "again"); ingot.ErrorCode(err) != ingot.CodeRequest {
		t.Errorf("a second answer: %v, want CodeRequest", err)
	}
	l.wantClean(d, 0)
	return l.step(arn, keyTest, "Approve")
}

// wantFreeSlot waits until the build of an image holds no slot.
func (l *lab) wantFreeSlot(arn ingot.ARN) {
	l.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		l.builder.slots.mu.Lock()
		held := len(l.builder.slots.held)
		l.builder.slots.mu.Unlock()
		if held == 0 {
			return
		}
		if time.Now().After(deadline) {
			l.Fatalf("the build of %s holds a slot while it waits", arn)
		}
	}
}

// TestAnswerOfKilledServer: the record is the answer, and the next server tells
// the build.
func TestAnswerOfKilledServer(t *testing.T) {
	l, _ := fakeLab(t)
	w := l.workflowOf(model.WorkflowTypeTest, "approval", fmt.Sprintf(approvalDocument, 3600))
	arn := l.image("web", with(runs(w)))
	l.check(l.builder.StartImage(t.Context(), arn))
	s := l.waiting()
	l.check(l.db.Write(t.Context(), func(tx ingot.Tx) error {
		_, err := ingot.AnswerStep(t.Context(), tx, s.StepExecutionId, s.ImageBuildVersionArn, ingot.StepAnswer{Action: model.WorkflowStepActionTypeResume})
		return err
	}))
	l.kill()
	l.start()
	l.wantStatus(l.await(arn), model.ImageStatusAvailable)
}

// TestUnknownFunction: a function that nothing stands in for fails the step
// instead of leaving it to wait for nobody. Source: workflows.md §12.
func TestUnknownFunction(t *testing.T) {
	l, d := fakeLab(t)
	w := l.workflowOf(model.WorkflowTypeTest, "asking", `steps:
  - {name: Approve, action: WaitForAction, inputs: {lambdaFunctionName: ask}}
`)
	arn := l.image("web", with(runs(w)))
	image := l.build(arn)
	l.wantStatus(image, model.ImageStatusFailed)
	if s := l.step(arn, keyTest, "Approve"); s.Status != model.WorkflowStepExecutionStatusFailed || !strings.Contains(s.Message, "notifications.functions") {
		t.Errorf("the step is %s: %s; want FAILED, naming the setting", s.Status, s.Message)
	}
	l.wantClean(d, 0)
}

func TestApprovalExpires(t *testing.T) {
	l, _ := fakeLab(t)
	w := l.workflowOf(model.WorkflowTypeTest, "approval", fmt.Sprintf(approvalDocument, 1))
	arn := l.image("web", with(runs(w)))
	l.wantStatus(l.build(arn), model.ImageStatusFailed)
	s := l.step(arn, keyTest, "Approve")
	if s.Message != "Step timed out" {
		t.Errorf("the message is %q, want Step timed out", s.Message)
	}
	if err := l.answer(s, model.WorkflowStepActionTypeResume, "late"); ingot.ErrorCode(err) != ingot.CodeRequest {
		t.Errorf("a late answer: %v, want CodeRequest", err)
	}
}

// WF-12: the order of groups.
func TestWF12Groups(t *testing.T) {
	l, _ := fakeLab(t)
	var mu sync.Mutex
	var log []string
	both := make(chan struct{}, 2)
	l.hook = func(step string, do flow.Action) flow.Action {
		return func(ctx context.Context, in json.RawMessage) (any, error) {
			var s settlement
			if json.Unmarshal(in, &s) != nil || s.Task.Workflow.Type != model.WorkflowTypeTest {
				return do(ctx, in)
			}
			mu.Lock()
			name := strings.TrimSuffix(strings.TrimPrefix(s.Task.Workflow.ARN, "arn:aws:imagebuilder:eu-test-1:123456789012:workflow/test/"), "/1.0.0/1")
			log = append(log, name)
			mu.Unlock()
			if name == "b" || name == "d" { // each waits for the other: they overlap
				both <- struct{}{}
				for len(both) < 2 && ctx.Err() == nil {
					time.Sleep(time.Millisecond)
				}
			}
			return do(ctx, in)
		}
	}
	var list []model.WorkflowConfiguration
	for _, e := range [][2]string{{"a", ""}, {"b", "g1"}, {"c", ""}, {"d", "g1"}, {"e", "g2"}} {
		c := runs(l.workflowOf(model.WorkflowTypeTest, e[0], nothing))
		c.ParallelGroup = e[1]
		list = append(list, c)
	}
	l.wantStatus(l.build(l.image("web", with(list...))), model.ImageStatusAvailable)
	got := strings.Join(log, "")
	if got != "abdce" && got != "adbce" {
		t.Errorf("the order is %s, want a, b and d, c, e", got)
	}
}

// nothing is a workflow whose only step is skipped.
const nothing = `steps:
  - {name: Never, action: WaitForAction, if: {stringEquals: a, value: b}}
`

// WF-13: never more than five of a group at a time.
func TestWF13FiveAtATime(t *testing.T) {
	l, _ := fakeLab(t)
	var list []model.WorkflowConfiguration
	for i := range 7 {
		c := runs(l.workflowOf(model.WorkflowTypeTest, fmt.Sprint("sleeper-", i), "steps:\n"+launchStep))
		c.ParallelGroup = "all"
		list = append(list, c)
	}
	var most atomic.Int32
	arn := l.image("web", with(list...))
	l.check(l.builder.StartImage(t.Context(), arn))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-t.Context().Done():
				return
			default:
			}
			executions, _, err := l.db.WorkflowExecutions(context.Background(), arn, "", 25)
			if err != nil {
				return
			}
			n := int32(0)
			over := 0
			for _, e := range executions {
				if e.Status == model.WorkflowExecutionStatusRunning {
					n++
				}
				if e.Status == model.WorkflowExecutionStatusCompleted {
					over++
				}
			}
			most.Store(max(most.Load(), n))
			if over == 7 {
				return
			}
		}
	}()
	l.wantStatus(l.await(arn), model.ImageStatusAvailable)
	<-done
	if most.Load() > maxParallel {
		t.Errorf("%d workflows ran at a time, want at most %d", most.Load(), maxParallel)
	}
	executions, _, err := l.db.WorkflowExecutions(t.Context(), arn, "", 25)
	l.check(err)
	if len(executions) != 7 {
		t.Errorf("%d workflows ran, want 7", len(executions))
	}
}

// TestOnFailureOfTests: CONTINUE goes on with the next group, ABORT does not;
// what runs in the group is let finish.
func TestOnFailureOfTests(t *testing.T) {
	const fails = `steps:
  - {name: Fail, action: RegisterImage}
`
	for onFailure, want := range map[model.OnWorkflowFailure]struct {
		status model.ImageStatus
		keys   []string
	}{
		model.OnWorkflowFailureContinue: {model.ImageStatusAvailable, []string{keyTest, "test2", "test3"}},
		"":                              {model.ImageStatusFailed, []string{keyTest, "test2"}},
	} {
		t.Run(string(want.status), func(t *testing.T) {
			l, _ := fakeLab(t)
			first := runs(l.workflowOf(model.WorkflowTypeTest, "first", fails))
			first.ParallelGroup, first.OnFailure = "g", onFailure
			beside := runs(l.workflowOf(model.WorkflowTypeTest, "beside", nothing))
			beside.ParallelGroup = "g"
			later := runs(l.workflowOf(model.WorkflowTypeTest, "later", nothing))
			arn := l.image("web", with(first, beside, later))
			l.wantStatus(l.build(arn), want.status)
			var got []string
			for _, key := range []string{keyTest, "test2", "test3"} {
				if _, err := l.db.WorkflowExecution(t.Context(), executionID(arn.String(), key, 1)); err == nil {
					got = append(got, key)
				}
			}
			// The one beside may not have begun when the first had failed.
			if !slices.Equal(got, want.keys) && !(onFailure == "" && slices.Equal(got, want.keys[:1])) {
				t.Errorf("the workflows %v ran, want %v", got, want.keys)
			}
		})
	}
}

// WF-15: outputs of one workflow are inputs of a later one.
func TestWF15Outputs(t *testing.T) {
	l, d := fakeLab(t)
	b := l.workflowOf(model.WorkflowTypeBuild, "making", `steps:
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - {name: Make, action: CreateImage, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
outputs: [{name: imgId, value: $.stepOutputs.Make.imageId}]
`)
	w := l.workflowOf(model.WorkflowTypeTest, "using", `steps:
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent, imageIdOverride.$: $.workflowOutputs.imgId, instanceTypesOverride: [t3.micro]}}
`)
	arn := l.image("web", with(runs(b), runs(w)))
	image := l.build(arn)
	l.wantStatus(image, model.ImageStatusAvailable)
	ami := image.OutputResources.Amis[0].Image
	if s := l.step(arn, keyTest, "Launch"); !strings.Contains(s.Inputs, ami) || !strings.Contains(s.Outputs, "t3.micro") {
		t.Errorf("the test launched with %s and gave %s; want the AMI %s on a t3.micro", s.Inputs, s.Outputs, ami)
	}
	l.wantClean(d, 1)
}

// TestForeignInstance: a step acts on instances of its own build only.
func TestForeignInstance(t *testing.T) {
	l, _ := fakeLab(t)
	w := l.workflowOf(model.WorkflowTypeTest, "foreign", `steps:
  - {name: Stop, action: TerminateInstance, inputs: {instanceId: i-0123456789abcdef0}}
`)
	image := l.build(l.image("web", with(runs(w))))
	l.wantStatus(image, model.ImageStatusFailed)
	if !strings.Contains(image.State.Reason, "was not launched by this image's build") {
		t.Errorf("the reason is %q", image.State.Reason)
	}
}

// TestSkippedTests: TEST workflows of an image without tests are shown.
func TestSkippedTests(t *testing.T) {
	l, _ := fakeLab(t)
	w := l.workflowOf(model.WorkflowTypeTest, "unwanted", nothing)
	arn := l.image("web", func(i *model.Image) { i.Workflows = []model.WorkflowConfiguration{runs(w)} })
	l.wantStatus(l.build(arn), model.ImageStatusAvailable)
	l.wantSteps(arn, keyTest, model.WorkflowExecutionStatusSkipped)
}

// TestDistributionWorkflow: copies, and the rows that steps hand on.
func TestDistributionWorkflow(t *testing.T) {
	l, d := fakeLab(t)
	w := l.workflowOf(model.WorkflowTypeDistribution, "sending", `steps:
  - {name: Copy, action: DistributeImage, inputs: {distributions: [{region: eu-test-2, name: "copy {{imagebuilder:buildDate}}"}]}}
  - {name: Share, action: ModifyImageAttributes, inputs: {distributedImages.$: $.stepOutputs.Copy.distributedImages}}
  - {name: Apply, action: ApplyImageConfigurations, inputs: {distributedImages.$: $.stepOutputs.Share.modifiedImages}}
`)
	arn := l.image("web", with(runs("arn:aws:imagebuilder:eu-test-1:aws:workflow/build/build-image/x.x.x"), runs(w)))
	image := l.build(arn)
	l.wantStatus(image, model.ImageStatusAvailable)
	var regions []string
	for _, a := range image.OutputResources.Amis {
		regions = append(regions, a.Region+" "+string(a.State.Status))
	}
	if want := []string{"eu-test-1 AVAILABLE", "eu-test-2 AVAILABLE"}; !slices.Equal(regions, want) {
		t.Errorf("the image is in %v, want %v", regions, want)
	}
	l.wantClean(d, 1)
}

// TestRegisterImage: an AMI of a snapshot that the build may use, and no other.
func TestRegisterImage(t *testing.T) {
	const document = `steps:
  - name: Register
    action: RegisterImage
    inputs:
      description: from a snapshot
      rootDeviceName: /dev/xvda
      blockDeviceMapping: [{DeviceName: /dev/sdb, Ebs: {SnapshotId: snap-0fedcba9876543210}}, {DeviceName: /dev/xvda, Ebs: {SnapshotId: %s}}]
`
	l, d := fakeLab(t)
	parent, err := l.db.FindAMI(t.Context(), l.arn("image/web/1.0.0/1").Scope(), "ami-0123456789abcdef0")
	l.check(err)
	w := l.workflowOf(model.WorkflowTypeBuild, "registering", fmt.Sprintf(document, parent.Snapshot))
	arn := l.image("web", with(runs(w)))
	image := l.build(arn)
	l.wantStatus(image, model.ImageStatusAvailable)
	ami, err := l.db.FindAMI(t.Context(), arn.Scope(), image.OutputResources.Amis[0].Image)
	l.check(err)
	if ami.ID == parent.ID || ami.Snapshot != parent.Snapshot || ami.Description != "from a snapshot" || ami.ImageARN != arn.String() {
		t.Errorf("the AMI is %+v, want another one of the parent's snapshot", ami)
	}
	w = l.workflowOf(model.WorkflowTypeBuild, "stealing", fmt.Sprintf(document, "snap-0123456789abcdef0"))
	arn = l.image("theft", with(runs(w)))
	image = l.build(arn)
	l.wantStatus(image, model.ImageStatusFailed)
	if want := "snapshot snap-0123456789abcdef0 does not belong to this image's build"; !strings.Contains(image.State.Reason, want) {
		t.Errorf("the reason is %q, want %q in it", image.State.Reason, want)
	}
	l.wantClean(d, 0)
}

// TestG9OnlyTests (api.md §12): the image is its parent's AMI, which stays
// whatever becomes of the image.
func TestG9OnlyTests(t *testing.T) {
	l, d := fakeLab(t)
	w := l.workflowOf(model.WorkflowTypeTest, "trial", "steps:\n"+launchStep)
	arn := l.image("web", with(runs(w)))
	image := l.build(arn)
	l.wantStatus(image, model.ImageStatusAvailable)
	amis := image.OutputResources.Amis
	if len(amis) != 1 || amis[0].Image != "ami-0123456789abcdef0" || amis[0].Region != labRegion {
		t.Errorf("the image lists %+v, want its parent", amis)
	}
	l.wantSteps(arn, keyTest, model.WorkflowExecutionStatusCompleted, "Launch COMPLETED")
	l.wantClean(d, 0)
	if _, err := l.db.FindAMI(t.Context(), arn.Scope(), "ami-0123456789abcdef0"); err != nil {
		t.Errorf("the parent's AMI: %v", err)
	}
}

// TestEveryActionIsKnown: a document that passes its check can be run.
func TestEveryActionIsKnown(t *testing.T) {
	for _, name := range workflow.ActionNames() {
		_, refused := unbuilt[name]
		if stepActions[name] == nil && !refused && name != actionWait {
			t.Errorf("the build does not know the action %s", name)
		}
	}
}
