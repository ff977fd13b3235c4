package build

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/toe"
)

// exit is a component run that fails as a program with an exit status does.
func exit(req toe.Request, code int) (toe.Result, error) {
	return toe.Result{Status: "failed", FailedStepCount: 1, Failure: &toe.Failure{
		Document: req.Documents[0].Path, Phase: req.Phases[0], Step: "Hello", Action: "ExecuteBash",
		ExitCode: &code, Message: fmt.Sprintf("exit status %d", code), Tail: []string{"cannot do it", "giving up"},
	}}, nil
}

func TestFailedComponent(t *testing.T) {
	l, d := fakeLab(t)
	d.execute = func(_ context.Context, req toe.Request, _ func(toe.Event)) (toe.Result, error) { return exit(req, 3) }
	echo := l.component("echo", echoDocument)
	arn := l.image("web", nil, echo)
	image := l.build(arn)
	l.wantStatus(image, model.ImageStatusFailed)
	l.wantClean(d, 0)
	l.wantSteps(arn, keyBuild, model.WorkflowExecutionStatusRollbackCompleted,
		"LaunchBuildInstance COMPLETED COMPLETED", "ApplyBuildComponents FAILED SKIPPED", "InventoryCollection PENDING",
		"RunSanitizeScript PENDING", "RunSysPrepScript PENDING", "CreateOutputAMI PENDING", "TerminateBuildInstance PENDING")
	want := "Workflow Execution ID: '" + executionID(arn.String(), keyBuild, 1) + "' failed with reason: Document " + echo + " failed!" +
		" Component echo, phase build, step Hello (ExecuteBash), exit code 3: exit status 3; last lines: cannot do it | giving up"
	if image.State.Reason != want {
		t.Errorf("the reason is %q, want %q", image.State.Reason, want)
	}
	wantContext := &model.FailureContext{
		ImageStatus: model.ImageStatusBuilding, FailedStep: stepApplyBuild,
		WorkflowExecutionId: executionID(arn.String(), keyBuild, 1), WorkflowArn: "arn:aws:imagebuilder:eu-test-1:aws:workflow/build/build-image/1.0.0/1",
		StepExecutionId: stepID(executionID(arn.String(), keyBuild, 1), stepApplyBuild),
		ComponentFailure: &model.ComponentFailure{
			ComponentArn: echo, PhaseName: "build", StepName: "Hello", Action: "ExecuteBash", ErrorMessage: "exit status 3",
		},
	}
	if diff := cmp.Diff(wantContext, image.State.FailureContext); diff != "" {
		t.Errorf("failureContext (-want +got):\n%s", diff)
	}
}

func TestFailedInstanceIsKept(t *testing.T) {
	l, d := fakeLab(t)
	d.execute = func(_ context.Context, req toe.Request, _ func(toe.Event)) (toe.Result, error) { return exit(req, 1) }
	arn := l.image("web", func(i *model.Image) {
		i.InfrastructureConfiguration = &model.InfrastructureConfiguration{TerminateInstanceOnFailure: new(false)}
	}, l.component("echo", echoDocument))
	l.wantStatus(l.build(arn), model.ImageStatusFailed)
	kept := d.launches[0]
	l.check(l.builder.Sweep(t.Context(), nil))
	if live := d.live(); !slices.Equal(live, []string{kept}) {
		t.Fatalf("after the sweep the instances %v live, want %s", live, kept)
	}
	if tags := d.find(kept).spec.Tags; tags["Ec2ImageBuilderArn"] != arn.String() {
		t.Errorf("the instance has the tags %v", tags)
	}
}

func TestFailedTests(t *testing.T) {
	for name, fail := range map[string]func(*lab, *fakeDriver){
		"phase": func(_ *lab, d *fakeDriver) {
			d.execute = func(_ context.Context, req toe.Request, _ func(toe.Event)) (toe.Result, error) {
				if isTest(req) {
					return exit(req, 1)
				}
				return toe.Result{Status: "success"}, nil
			}
		},
		"boot": func(l *lab, _ *fakeDriver) { l.builder.Boot = bootable{errors.New("no loader was found")} },
	} {
		t.Run(name, func(t *testing.T) {
			l, d := fakeLab(t)
			fail(l, d)
			arn := l.image("web", tested, l.component("echo", echoDocument))
			image := l.build(arn)
			l.wantStatus(image, model.ImageStatusFailed)
			l.wantClean(d, 1)
			if image.State.FailureContext == nil || image.State.FailureContext.ImageStatus != model.ImageStatusTesting {
				t.Errorf("failureContext is %+v, want one of TESTING", image.State.FailureContext)
			}
			if amis, err := l.db.ListAMIs(t.Context(), arn.Scope()); err != nil || len(amis) != 2 || image.OutputResources != nil {
				t.Errorf("there are %d AMIs, want the base and one that the image does not list (%v)", len(amis), err)
			}
		})
	}
}

// TestLostInstance: the host was restarted, or somebody killed the instance.
func TestLostInstance(t *testing.T) {
	for losses, want := range map[int]model.ImageStatus{
		1: model.ImageStatusAvailable, maxAttempts: model.ImageStatusFailed,
	} {
		t.Run(fmt.Sprint(losses), func(t *testing.T) {
			l, d := fakeLab(t)
			arn := l.image("web", nil, l.component("echo", echoDocument))
			var runs atomic.Int32
			d.execute = func(ctx context.Context, _ toe.Request, _ func(toe.Event)) (toe.Result, error) {
				n := int(runs.Add(1))
				if n <= losses {
					d.find(d.launches[n-1]).crash()
					return toe.Result{}, errors.New("nobody hears this")
				}
				return toe.Result{Status: "success"}, nil
			}
			l.wantStatus(l.build(arn), want)
			if wantLaunches := min(losses+1, maxAttempts); len(d.launches) != wantLaunches {
				t.Errorf("%d instances were launched, want %d", len(d.launches), wantLaunches)
			}
			if log := l.log(arn); !strings.Contains(log, "The instance was lost") {
				t.Errorf("the log does not tell of the loss:\n%s", log)
			}
			l.wantClean(d, map[model.ImageStatus]int{model.ImageStatusAvailable: 1}[want])
		})
	}
}

func TestRefusedBeforeAnythingRuns(t *testing.T) {
	tests := map[string]struct {
		change func(*model.Image)
		want   string
	}{
		"AMI name": {func(i *model.Image) {
			i.DistributionConfiguration = &model.DistributionConfiguration{Distributions: []model.Distribution{{
				Region: "us-west-2", AmiDistributionConfiguration: &model.AmiDistributionConfiguration{Name: "#{{imagebuilder:buildDate}}"},
			}}}
		}, "distributing to us-west-2"},
		"parent": {func(i *model.Image) { i.ImageRecipe.ParentImage = "ami-00000000000000000" }, "ami-00000000000000000"},
		"ssm":    {func(i *model.Image) { i.ImageRecipe.ParentImage = "ssm:/base" }, "The parameter '/base' does not exist"},
		"workflow": {func(i *model.Image) {
			i.Workflows = []model.WorkflowConfiguration{{WorkflowArn: "arn:aws:imagebuilder:eu-test-1:123456789012:workflow/build/mine/1.0.0/1"}}
		}, "workflow/build/mine"},
		"type": {func(i *model.Image) {
			i.InfrastructureConfiguration = &model.InfrastructureConfiguration{InstanceTypes: []string{"potato"}}
		}, `"potato"`},
		"kind": {func(i *model.Image) {
			i.InfrastructureConfiguration = &model.InfrastructureConfiguration{InstanceTypes: []string{"vm.small"}}
		}, "qemu"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l, d := fakeLab(t)
			image := l.build(l.image("web", test.change))
			l.wantStatus(image, model.ImageStatusFailed)
			if !strings.Contains(image.State.Reason, test.want) {
				t.Errorf("the reason is %q, want it to name %q", image.State.Reason, test.want)
			}
			if len(d.launches) != 0 {
				t.Errorf("the instances %v were launched", d.launches)
			}
		})
	}
}

// TestRetiredParent: a deprecated image can be built on by its build only, a
// disabled one not at all.
func TestRetiredParent(t *testing.T) {
	l, _ := fakeLab(t)
	parent := l.image("parent", nil)
	l.wantStatus(l.build(parent), model.ImageStatusAvailable)
	for name, c := range map[string]struct {
		parent  ingot.ARN
		retired model.ImageStatus
		want    model.ImageStatus
	}{
		"deprecated-build":   {parent, model.ImageStatusDeprecated, model.ImageStatusAvailable},
		"deprecated-version": {parent.VersionARN(), model.ImageStatusDeprecated, model.ImageStatusFailed},
		"disabled-build":     {parent, model.ImageStatusDisabled, model.ImageStatusFailed},
	} {
		t.Run(name, func(t *testing.T) {
			l.check(l.db.Write(t.Context(), func(tx ingot.Tx) error {
				return ingot.UpdateImage(t.Context(), tx, parent, nil, c.retired, time.Now(), func(*model.Image) {})
			}))
			image := l.build(l.image(name, func(i *model.Image) { i.ImageRecipe.ParentImage = c.parent.String() }))
			l.wantStatus(image, c.want)
			if c.want == model.ImageStatusFailed && !strings.Contains(image.State.Reason, c.parent.String()) {
				t.Errorf("the reason is %q, want it to name the parent", image.State.Reason)
			}
		})
	}
}

func TestNameOfAnotherAMI(t *testing.T) {
	l, d := fakeLab(t)
	arn := l.image("web", func(i *model.Image) {
		i.DistributionConfiguration = &model.DistributionConfiguration{Distributions: []model.Distribution{{
			Region: labRegion, AmiDistributionConfiguration: &model.AmiDistributionConfiguration{Name: "base"},
		}}}
	})
	image := l.build(arn)
	l.wantStatus(image, model.ImageStatusFailed)
	l.wantClean(d, 0)
	c := image.State.FailureContext
	if c == nil || c.ImageStatus != model.ImageStatusBuilding || c.FailedStep != stepCreateImage || !strings.Contains(image.State.Reason, "ami-0123456789abcdef0") {
		t.Errorf("the reason is %q, failureContext %+v; want the AMI that has the name", image.State.Reason, c)
	}
}
