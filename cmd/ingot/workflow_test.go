package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
)

const (
	ownBuild = `
schemaVersion: 1.0
parameters:
  - {name: commands, type: stringList, default: [echo command > /var/lib/command]}
steps:
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - name: Command
    action: RunCommand
    inputs:
      instanceId.$: $.stepOutputs.Launch.instanceId
      documentName: AWS-RunShellScript
      parameters: {commands.$: $.parameters.commands}
  - {name: Inventory, action: CollectImageMetadata, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Approve, action: WaitForAction}
  - {name: Apply, action: ExecuteComponents, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Create, action: CreateImage, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Terminate, action: TerminateInstance, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
outputs:
  - {name: ImageId, value: $.stepOutputs.Create.imageId}
`
	ownTest = `
schemaVersion: 1.0
steps:
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - {name: Apply, action: ExecuteComponents, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Terminate, action: TerminateInstance, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
`
	ownComponent = `
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - {name: there, action: ExecuteBash, inputs: {commands: [grep -x command /var/lib/command]}}
  - name: test
    steps:
      - {name: still, action: ExecuteBash, inputs: {commands: [grep -x command /var/lib/command, sleep 1]}}
`
)

// TestOwnWorkflow has the vendor's command build an image by workflows of the
// user's: a command, an approval, and two tests side by side.
func TestOwnWorkflow(t *testing.T) {
	testenv.For(t, testenv.AWSCLI, testenv.Container, testenv.QEMU, testenv.Base)
	p := newProcess(t)
	p.start()
	p.importBase()
	job := p.recipe("own", model.CreateInfrastructureConfigurationRequest{}, ownComponent)
	aws := p.awsCLI()
	var created struct{ WorkflowBuildVersionArn, ImageBuildVersionArn string }
	arguments := []string{
		"create-image", "--image-recipe-arn", job.ImageRecipeArn, "--infrastructure-configuration-arn", job.InfrastructureConfigurationArn,
		"--execution-role", "arn:aws:iam::000000000000:role/build", "--image-tests-configuration", "imageTestsEnabled=true", "--workflows",
	}
	for _, w := range []struct{ name, kind, document, group string }{
		{"own-build", "BUILD", ownBuild, ""},
		{"own-test-1", "TEST", ownTest, ",parallelGroup=pair"},
		{"own-test-2", "TEST", ownTest, ",parallelGroup=pair"},
	} {
		file := filepath.Join(t.TempDir(), "workflow.yaml")
		if err := os.WriteFile(file, []byte(w.document), 0o600); err != nil {
			t.Fatal(err)
		}
		aws(&created, "create-workflow", "--name", w.name, "--semantic-version", "1.0.0", "--type", w.kind, "--data", "file://"+file)
		arguments = append(arguments, "workflowArn="+created.WorkflowBuildVersionArn+w.group)
	}
	aws(&created, arguments...)
	image := created.ImageBuildVersionArn

	var waiting model.ListWaitingWorkflowStepsResponse
	p.eventually("a step waits", func() bool {
		aws(&waiting, "list-waiting-workflow-steps")
		return len(waiting.Steps) > 0
	})
	step := waiting.Steps[0]
	if step.ImageBuildVersionArn != image || step.Name != "Approve" || step.Action != "WaitForAction" {
		t.Fatalf("the step that waits is %+v", step)
	}
	executions := func() (list []model.WorkflowExecutionMetadata) {
		var out model.ListWorkflowExecutionsResponse
		aws(&out, "list-workflow-executions", "--image-build-version-arn", image)
		return out.WorkflowExecutions
	}
	steps := func(e model.WorkflowExecutionMetadata) (list []string) {
		var out model.ListWorkflowStepExecutionsResponse
		aws(&out, "list-workflow-step-executions", "--workflow-execution-id", e.WorkflowExecutionId)
		for _, s := range out.Steps {
			list = append(list, s.Name+" "+string(s.Status))
		}
		return list
	}
	begun := executions()
	if len(begun) != 1 {
		t.Fatalf("while the build waits, its workflows are %+v", begun)
	}
	want := []string{"Launch COMPLETED", "Command COMPLETED", "Inventory COMPLETED", "Approve RUNNING", "Apply PENDING", "Create PENDING", "Terminate PENDING"}
	if diff := cmp.Diff(want, steps(begun[0])); diff != "" {
		t.Errorf("steps while one waits (-want +got):\n%s", diff)
	}
	p.wantShown(image, "Approve of "+image+" waits since", "there is no earlier image")
	aws(nil, "send-workflow-step-action", "--step-execution-id", step.StepExecutionId, "--image-build-version-arn", image, "--action", "RESUME", "--reason", "looks right")

	if got := p.await(image); got.State.Status != model.ImageStatusAvailable {
		t.Fatalf("%s is %s: %s; the server's log:\n%s", image, got.State.Status, got.State.Reason, p.log)
	}
	var tests []model.WorkflowExecutionMetadata
	for _, e := range executions() {
		if e.ParallelGroup == "" {
			continue // of the build, and of the boot check
		}
		tests = append(tests, e)
		want := []string{"Launch COMPLETED", "Apply COMPLETED", "Terminate COMPLETED"}
		if diff := cmp.Diff(want, steps(e)); diff != "" {
			t.Errorf("steps of %s (-want +got):\n%s", e.WorkflowBuildVersionArn, diff)
		}
	}
	if len(tests) != 2 || tests[0].StartTime >= tests[1].EndTime || tests[1].StartTime >= tests[0].EndTime {
		t.Errorf("the tests did not run side by side: %+v", tests)
	}
	p.reject(aws, arguments)
	p.deleteAMI(image)
	p.stop()
	if left := p.leftovers(); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

// reject builds the image again without a package. Whoever looks at it sees
// that, and refuses it.
func (p *process) reject(aws func(any, ...string), arguments []string) {
	p.t.Helper()
	var created struct{ ImageBuildVersionArn string }
	without := slices.Clone(arguments)
	for i, a := range without {
		if strings.Contains(a, "/own-build/") {
			without[i] = a + ",parameters=[{name=commands,value=[dpkg --purge wget]}]"
		}
	}
	aws(&created, without...)
	image := created.ImageBuildVersionArn
	p.eventually("a step waits", func() bool {
		var waiting model.ListWaitingWorkflowStepsResponse
		p.call("ListWaitingWorkflowSteps", model.ListWaitingWorkflowStepsRequest{}, &waiting)
		return len(waiting.Steps) > 0
	})
	p.wantShown(image, "packages against "+strings.TrimSuffix(image, "2")+"1\n- wget 1.21")
	out, err := p.ingot("", "reject", image, "--reason", "wget is needed")
	if err != nil || !strings.Contains(out, "STOP Approve of "+image) {
		p.t.Errorf("ingot reject = %s, %v", out, err)
	}
	got := p.await(image)
	if got.State.Status != model.ImageStatusFailed || !strings.Contains(got.State.Reason, "wget is needed") {
		p.t.Errorf("%s is %s: %s; want it FAILED for the reason given", image, got.State.Status, got.State.Reason)
	}
	out, err = p.ingot("", "approve", image)
	if err == nil || !strings.Contains(out, image+" does not wait for an action, and nothing else does") {
		p.t.Errorf("ingot approve, too late = %s, %v", out, err)
	}
}

// wantShown wants parts in what `ingot approve --show` prints of an image.
func (p *process) wantShown(image string, parts ...string) {
	p.t.Helper()
	out, err := p.ingot("", "approve", image, "--show")
	for _, part := range parts {
		if err != nil || !strings.Contains(out, part) {
			p.t.Errorf("ingot approve --show = %s, %v; want %q in it", out, err, part)
		}
	}
}

// awsCLI is the vendor's command, in the environment that `ingot env` prints.
// Its JSON goes to out.
func (p *process) awsCLI() func(out any, arguments ...string) {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	print := exec.CommandContext(p.t.Context(), self, "env")
	print.Env = p.env()
	exports, err := print.Output()
	if err != nil {
		p.t.Fatalf("ingot env: %v", err)
	}
	return func(out any, arguments ...string) {
		p.t.Helper()
		var stdout, stderr strings.Builder
		script := string(exports) + "\nexec aws imagebuilder --output json \"$@\""
		cmd := exec.CommandContext(p.t.Context(), "sh", append([]string{"-ec", script, "aws"}, arguments...)...)
		cmd.Env = append(os.Environ(), "AWS_PAGER=")
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			p.t.Fatalf("aws imagebuilder %s: %v: %s", arguments[0], err, stderr.String())
		}
		if out == nil {
			return
		}
		if err := json.Unmarshal([]byte(stdout.String()), out); err != nil {
			p.t.Fatalf("aws imagebuilder %s: %v", arguments[0], err)
		}
	}
}
