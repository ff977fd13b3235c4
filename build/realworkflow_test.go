package build

import (
	"fmt"
	"strings"
	"testing"

	"ingot.dev/ingot/model"
)

// TestRealWorkflows runs a user's workflows in real containers: an approval and
// a RunCommand on the build instance, then a parallel pair of tests.
func TestRealWorkflows(t *testing.T) {
	l := realLab(t)
	l.materialise()
	b := l.workflowOf(model.WorkflowTypeBuild, "mine", `parameters: [{name: who, type: string}]
steps:
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - name: Say
    action: RunCommand
    inputs:
      instanceId.$: $.stepOutputs.Launch.instanceId
      documentName: AWS-RunShellScript
      parameters:
        commands: ["echo made for {{ $.parameters.who }} > /etc/made", "cat /etc/made", "pwd; echo aside >&2"]
        workingDirectory: [/etc]
  - {name: Approve, action: WaitForAction, inputs: {payload: '{"said": {{ $.stepOutputs.Say.output }} }'}}
  - {name: Again, action: WaitForSSMAgent, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Packages, action: CollectImageMetadata, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Clean, action: SanitizeInstance, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Make, action: CreateImage, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Stop, action: TerminateInstance, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
outputs: [{name: made, value: $.stepOutputs.Make.imageId}]
`)
	list := []model.WorkflowConfiguration{runs(b, model.WorkflowParameter{Name: "who", Value: []string{"all"}})}
	for _, name := range []string{"first", "second"} {
		c := runs(l.workflowOf(model.WorkflowTypeTest, name, fmt.Sprintf(`steps:
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent, imageIdOverride.$: $.workflowOutputs.made}}
  - name: Look
    action: RunCommand
    inputs:
      instanceId.$: $.stepOutputs.Launch.instanceId
      documentName: AWS-RunShellScript
      parameters: {commands: ["grep -q all /etc/made && echo %s has seen it"]}
  - name: Slow
    action: RunCommand
    onFailure: Continue
    inputs:
      instanceId.$: $.stepOutputs.Launch.instanceId
      documentName: AWS-RunShellScript
      parameters: {commands: [echo begun, sleep 100], executionTimeout: ["1"]}
`, name)))
		c.ParallelGroup = "pair"
		list = append(list, c)
	}
	arn := l.image("web", func(i *model.Image) { inTmp(i); with(list...)(i) })
	l.check(l.builder.StartImage(t.Context(), arn))
	s := l.waiting()
	if want := `{"payload":"{\"said\": [\"made for all\\n/etc\\n\"] }"}`; s.Inputs != want {
		t.Errorf("the approval shows %s, want %s", s.Inputs, want)
	}
	l.kill()
	l.start()
	l.check(l.answer(s, model.WorkflowStepActionTypeResume, "fine"))
	l.wantStatus(l.await(arn), model.ImageStatusAvailable)
	for _, key := range []string{keyTest, "test2"} {
		if s := l.step(arn, key, "Look"); !strings.Contains(s.Outputs, "has seen it") {
			t.Errorf("%s: the outputs are %s", key, s.Outputs)
		}
		if s := l.step(arn, key, "Slow"); s.Status != model.WorkflowStepExecutionStatusFailed || !strings.Contains(s.Message, "after 1 seconds") {
			t.Errorf("%s: the slow command is %s: %s", key, s.Status, s.Message)
		}
	}
}
