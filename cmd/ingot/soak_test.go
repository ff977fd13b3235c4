package main

import (
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/compute/computetest"
	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
)

// soakKills is how often TestSoak kills the server, unless INGOT_TEST_SOAK says
// otherwise.
const soakKills = 4

// killsPerBuild lets a build come to its end: the boot check begins again after
// each kill, and takes longer than there is between two.
const killsPerBuild = 8

// Workflows with every kind of step that this server runs on Linux. The first
// registers the snapshot of its parent, too.
const (
	soakBuild = `
schemaVersion: 1.0
parameters:
  - {name: parent, type: string}
steps:
  - name: Register
    action: RegisterImage
    inputs:
      rootDeviceName: /dev/xvda
      blockDeviceMapping: [{DeviceName: /dev/xvda, Ebs: {SnapshotId.$: $.parameters.parent}}]
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - {name: Online, action: WaitForSSMAgent, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - name: Command
    action: RunCommand
    inputs:
      instanceId.$: $.stepOutputs.Launch.instanceId
      documentName: AWS-RunShellScript
      parameters: {commands: [echo command >> /var/lib/command, sleep 1]}
  - {name: Apply, action: ExecuteComponents, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Collect, action: CollectImageMetadata, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Sanitize, action: SanitizeInstance, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Create, action: CreateImage, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Terminate, action: TerminateInstance, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId, waitForTermination: true}}
`
	soakTest = `
schemaVersion: 1.0
steps:
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - {name: Ask, action: ExecuteStateMachine, inputs: {stateMachineArn: "arn:aws:states:us-east-1:000000000000:stateMachine:ask", input: '{"question":"?"}'}}
  - {name: Scan, action: CollectImageScanFindings, onFailure: Continue, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Apply, action: ExecuteComponents, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Terminate, action: TerminateInstance, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
`
	soakDistribution = `
schemaVersion: 1.0
steps:
  - {name: Copy, action: DistributeImage}
  - {name: Approve, action: WaitForAction}
  - {name: Share, action: ModifyImageAttributes, inputs: {distributedImages.$: $.stepOutputs.Copy.distributedImages}}
  - {name: Publish, action: ApplyImageConfigurations, inputs: {distributedImages.$: $.stepOutputs.Copy.distributedImages}}
`
	// soakComponent fails unless the command and its own steps ran once.
	soakComponent = `
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - {name: first, action: ExecuteBash, inputs: {commands: [echo first >> /var/lib/trace]}}
      - {name: second, action: ExecuteBash, inputs: {commands: [sleep 1, echo second >> /var/lib/trace]}}
  - name: validate
    steps:
      - name: once
        action: ExecuteBash
        inputs:
          commands:
            - test "$(cat /var/lib/command)" = command
            - test "$(cat /var/lib/trace)" = "$(printf 'first\nsecond')"
  - name: test
    steps:
      - {name: there, action: ExecuteBash, inputs: {commands: [test -e /var/lib/trace, sleep 1]}}
`
)

// TestSoak kills the server at random moments of builds with all kinds of
// steps. Each build ends as if nothing had happened, whatever the moments, and
// its image has the files of one that nobody disturbed; when the images are
// removed, nothing is left of them. The seed is in the output.
func TestSoak(t *testing.T) {
	testenv.For(t, testenv.Container, testenv.QEMU, testenv.Base)
	kills := soakKills
	if text := os.Getenv("INGOT_TEST_SOAK"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatalf("INGOT_TEST_SOAK=%s: %v", text, err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("%d kills, seed %d", kills, seed)
	s := &soak{process: newProcess(t), random: rand.New(rand.NewPCG(seed, 0))}
	s.answerStateMachines()
	s.start()
	s.importBase()
	s.stop()
	before := s.stored()
	s.start()
	job := s.job()
	images := []string{s.disturb(job)} // without a kill yet
	undisturbed := s.filesOf(images[0])
	for s.kills = kills; s.kills > 0; {
		image := s.disturb(job)
		if diff := cmp.Diff(undisturbed, s.filesOf(image)); diff != "" {
			t.Errorf("files of %s (-of an undisturbed build +its own):\n%s", image, diff)
		}
		images = append(images, image)
	}
	if last, err := lastImage(t.Context(), s.API, images[0]); err != nil || last != images[len(images)-1] {
		t.Errorf("the last image is %s, %v; want %s", last, err, images[len(images)-1])
	}
	for _, image := range images {
		s.checkRecords(image)
		s.deleteAMIs(image, 2)
	}
	s.stop()
	if diff := cmp.Diff(before, s.stored()); diff != "" {
		t.Errorf("blocks and snapshots (-before +after):\n%s", diff)
	}
	if left := s.leftovers(); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
	t.Logf("%d builds of %d files", len(images), len(undisturbed))
}

// soak is a server that is killed again and again.
type soak struct {
	*process
	random *rand.Rand
	kills  int // that are left
}

// answerStateMachines stands in for the state machines of workflows.
func (s *soak) answerStateMachines() {
	s.t.Helper()
	answer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"answer":"yes"}`) }))
	s.t.Cleanup(answer.Close)
	file := filepath.Join(s.t.TempDir(), "settings.yaml")
	if err := os.WriteFile(file, []byte("stateMachine: "+answer.URL+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.flags = []string{"--config", file}
}

// filesOf are the files of the AMI that an image's build made of its instance,
// but for what differs between any two: the journal of the machine, in a folder
// with the machine's id, and the times of logins and starts.
func (s *soak) filesOf(image string) map[string]string {
	s.t.Helper()
	var got model.GetImageResponse
	s.call("GetImage", model.GetImageRequest{ImageBuildVersionArn: image}, &got)
	tree := s.treeOf(got.Image.OutputResources.Amis[0].Image)
	maps.DeleteFunc(tree, func(path, _ string) bool {
		return strings.HasPrefix(path, "/var/log/journal/") || path == "/var/log/wtmp"
	})
	return tree
}

// job is an image with workflows of its own in every stage.
func (s *soak) job() model.CreateImageRequest {
	s.t.Helper()
	job := s.recipe("soak", model.CreateInfrastructureConfigurationRequest{}, soakComponent)
	job.ExecutionRole = "arn:aws:iam::123456789012:role/ingot"
	for _, w := range []struct {
		name, document string
		kind           model.WorkflowType
		group          string
	}{
		{"soak-build", soakBuild, model.WorkflowTypeBuild, ""},
		{"soak-test-one", soakTest, model.WorkflowTypeTest, "pair"},
		{"soak-test-two", soakTest, model.WorkflowTypeTest, "pair"},
		{"soak-distribution", soakDistribution, model.WorkflowTypeDistribution, ""},
	} {
		var out model.CreateWorkflowResponse
		s.call("CreateWorkflow", model.CreateWorkflowRequest{Name: w.name, SemanticVersion: "1.0.0", Type: w.kind, Data: w.document}, &out)
		c := model.WorkflowConfiguration{WorkflowArn: out.WorkflowBuildVersionArn, ParallelGroup: w.group}
		if w.kind == model.WorkflowTypeBuild {
			c.Parameters = []model.WorkflowParameter{{Name: "parent", Value: []string{s.snapshotOfBase()}}}
		}
		job.Workflows = append(job.Workflows, c)
	}
	return job
}

func (s *soak) snapshotOfBase() string {
	s.t.Helper()
	all, err := admin.Call[admin.None, []admin.Image](s.t.Context(), s.Admin, "image/list", admin.None{}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(i admin.Image) bool { return i.Owner == "aws" })
	if i < 0 {
		s.t.Fatalf("no base among %+v", all)
	}
	return all[i].Snapshot
}

// disturb builds an image and kills the server meanwhile.
func (s *soak) disturb(job model.CreateImageRequest) (image string) {
	s.t.Helper()
	image = s.createImage(job, true)
	for left := min(killsPerBuild, s.kills); ; left-- {
		end := time.Now().Add(time.Duration(s.random.IntN(4000)) * time.Millisecond)
		for left == 0 || time.Now().Before(end) {
			if s.ended(image) {
				return image
			}
			s.approve()
			<-time.After(20 * time.Millisecond)
		}
		s.kill()
		s.kills--
		s.start()
	}
}

// ended fails the test when the image has ended otherwise than well.
func (s *soak) ended(image string) bool {
	s.t.Helper()
	var got model.GetImageResponse
	s.call("GetImage", model.GetImageRequest{ImageBuildVersionArn: image}, &got)
	switch status := got.Image.State.Status; status {
	case model.ImageStatusAvailable:
		return true
	case model.ImageStatusFailed, model.ImageStatusCancelled:
		s.t.Fatalf("%s is %s: %s; the server's log:\n%s", image, status, got.Image.State.Reason, s.log)
	}
	return false
}

// approve answers every step that waits.
func (s *soak) approve() {
	s.t.Helper()
	var waiting model.ListWaitingWorkflowStepsResponse
	s.call("ListWaitingWorkflowSteps", model.ListWaitingWorkflowStepsRequest{}, &waiting)
	for _, step := range waiting.Steps {
		s.call("SendWorkflowStepAction", model.SendWorkflowStepActionRequest{
			StepExecutionId: step.StepExecutionId, ImageBuildVersionArn: step.ImageBuildVersionArn, Action: model.WorkflowStepActionTypeResume,
		}, new(model.SendWorkflowStepActionResponse))
	}
}

// checkRecords wants every workflow and step of an image completed.
func (s *soak) checkRecords(image string) {
	s.t.Helper()
	var executions model.ListWorkflowExecutionsResponse
	s.call("ListWorkflowExecutions", model.ListWorkflowExecutionsRequest{ImageBuildVersionArn: image}, &executions)
	for _, e := range executions.WorkflowExecutions {
		if e.Status != model.WorkflowExecutionStatusCompleted {
			s.t.Errorf("%s of %s is %s: %s", e.WorkflowBuildVersionArn, image, e.Status, e.Message)
		}
		var steps model.ListWorkflowStepExecutionsResponse
		s.call("ListWorkflowStepExecutions", model.ListWorkflowStepExecutionsRequest{WorkflowExecutionId: e.WorkflowExecutionId}, &steps)
		for _, step := range steps.Steps {
			if step.Status != model.WorkflowStepExecutionStatusCompleted {
				s.t.Errorf("step %s of %s is %s: %s", step.Name, image, step.Status, step.Message)
			}
		}
	}
	if len(executions.WorkflowExecutions) < 4 {
		s.t.Errorf("%s has %d workflow executions, want those of its four workflows", image, len(executions.WorkflowExecutions))
	}
}

// stored lists the blocks and snapshots of all regions.
func (s *soak) stored() []string {
	s.t.Helper()
	list := computetest.Files(s.t, filepath.Join(s.settings.Data, "regions"))
	return slices.DeleteFunc(list, func(path string) bool {
		return !strings.HasSuffix(path, ".zst") && filepath.Base(filepath.Dir(path)) != "snapshots"
	})
}
