package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/toe"
)

// fakeLab is a lab whose instances are fakes.
func fakeLab(t *testing.T, change ...func(*Config)) (*lab, *fakeDriver) {
	t.Helper()
	needQEMUImg(t)
	d := newFakeDriver(t)
	l := newLab(t, map[string]compute.Driver{compute.KindContainer: d}, smallDisk(t), func(c *Config) {
		c.Instances, c.Boot = d.dir, bootable{}
		for _, f := range change {
			f(c)
		}
	})
	return l, d
}

// bootable is a boot check that passes, or fails with an error.
type bootable struct{ err error }

func (b bootable) CheckBoot(_ context.Context, id string, ami ingot.AMI) (string, error) {
	if id == "" || ami.Snapshot == "" {
		return "", errors.New("CheckBoot was not told what to boot")
	}
	return "login:", b.err
}

// tested switches the tests of an image on.
func tested(i *model.Image) { i.ImageTestsConfiguration.ImageTestsEnabled = new(true) }

// wantClean checks that a finished build left no instance, and so many snapshots.
func (l *lab) wantClean(d *fakeDriver, snapshots int) {
	l.Helper()
	if live := d.live(); len(live) > 0 {
		l.Errorf("instances %v are left", live)
	}
	if got := l.snapshots(); got != snapshots {
		l.Errorf("%d snapshots are left, want %d", got, snapshots)
	}
}

func (l *lab) wantSteps(arn ingot.ARN, workflow string, want model.WorkflowExecutionStatus, steps ...string) {
	l.Helper()
	status, got := l.workflow(arn, workflow)
	if diff := cmp.Diff(steps, got); status != want || diff != "" {
		l.Errorf("the %s workflow is %s, want %s; steps (-want +got):\n%s", workflow, status, want, diff)
	}
}

var builtSteps = []string{
	"LaunchBuildInstance COMPLETED", "ApplyBuildComponents COMPLETED", "InventoryCollection COMPLETED",
	"RunSanitizeScript COMPLETED", "RunSysPrepScript SKIPPED", "CreateOutputAMI COMPLETED", "TerminateBuildInstance COMPLETED",
}

var testedSteps = []string{
	"LaunchTestInstance COMPLETED", "CollectImageScanFindings SKIPPED", "ApplyTestComponents COMPLETED", "TerminateTestInstance COMPLETED",
}

// The steps of the managed documents.
const (
	stepLaunchBuild    = "LaunchBuildInstance"
	stepApplyBuild     = "ApplyBuildComponents"
	stepInventory      = "InventoryCollection"
	stepSanitize       = "RunSanitizeScript"
	stepCreateImage    = "CreateOutputAMI"
	stepTerminateBuild = "TerminateBuildInstance"
	stepLaunchTest     = "LaunchTestInstance"
	stepApplyTest      = "ApplyTestComponents"
	stepTerminateTest  = "TerminateTestInstance"
	stepCheckBoot      = "CheckBoot"
)

func TestBuild(t *testing.T) {
	l, d := fakeLab(t)
	d.execute = func(_ context.Context, req toe.Request, emit func(toe.Event)) (toe.Result, error) {
		emit(event(req.Documents[0].Path, "phases "+strings.Join(req.Phases, ",")+" in "+req.Environment["IMAGE_PHASE"]))
		return toe.Result{Status: "success", ExecutedStepCount: 1}, nil
	}
	arn := l.image("web", func(i *model.Image) {
		tested(i)
		i.ImageRecipe.AmiTags = map[string]string{"team": "a", "build": "{{imagebuilder:buildVersion}}"}
		i.DistributionConfiguration = &model.DistributionConfiguration{Distributions: []model.Distribution{{
			Region: labRegion,
			AmiDistributionConfiguration: &model.AmiDistributionConfiguration{
				Name: "web-{{imagebuilder:buildVersion}}-{{imagebuilder:buildDate:yyyy}}", Description: "for the web",
				AmiTags: map[string]string{"team": "b"},
			},
		}}}
	}, l.component("echo", echoDocument))
	image := l.build(arn)
	l.wantStatus(image, model.ImageStatusAvailable)
	l.wantClean(d, 1)
	l.wantSteps(arn, keyBuild, model.WorkflowExecutionStatusCompleted, builtSteps...)
	l.wantSteps(arn, keyTest, model.WorkflowExecutionStatusCompleted, testedSteps...)
	l.wantSteps(arn, keyBoot, model.WorkflowExecutionStatusCompleted, "CheckBoot COMPLETED")

	if len(image.OutputResources.Amis) != 1 {
		t.Fatalf("the image has the AMIs %v, want one", image.OutputResources.Amis)
	}
	ami, err := l.db.FindAMI(t.Context(), arn.Scope(), image.OutputResources.Amis[0].Image)
	l.check(err)
	wantTags := map[string]string{"CreatedBy": "EC2 Image Builder", "Ec2ImageBuilderArn": arn.String(), "team": "b", "build": "1"}
	if diff := cmp.Diff(wantTags, ami.Tags); diff != "" {
		t.Errorf("tags of the AMI (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(ami.Name, "web-1-20") || ami.Description != "for the web" || ami.ImageARN != arn.String() || ami.Parent != "ami-0123456789abcdef0" {
		t.Errorf("the AMI is %+v", ami)
	}
	packages, _, err := l.db.ImagePackages(t.Context(), arn, "", 10)
	l.check(err)
	if len(packages) != 2 || image.OsVersion != "Fake 1" {
		t.Errorf("the image has the packages %v and is %q", packages, image.OsVersion)
	}
	for _, line := range []string{"phases build,validate in BUILDING", "phases test in TESTING"} {
		if log := l.log(arn); !strings.Contains(log, line) {
			t.Errorf("the log does not have %q:\n%s", line, log)
		}
	}
}

func TestBuildWithoutComponentsSkipsThem(t *testing.T) {
	l, d := fakeLab(t)
	arn := l.image("bare", nil)
	l.wantStatus(l.build(arn), model.ImageStatusAvailable)
	want := slices.Clone(builtSteps)
	want[1] = "ApplyBuildComponents SKIPPED"
	l.wantSteps(arn, keyBuild, model.WorkflowExecutionStatusCompleted, want...)
	l.wantClean(d, 1)
}

// stall holds the build in one action until the test goes on: before the action
// does anything, or after it has done everything and before that is saved.
type stall struct {
	action  string
	after   bool
	reached chan struct{}
	passed  atomic.Bool // the action is held once
}

func newStall(action string, after bool) *stall {
	return &stall{action: action, after: after, reached: make(chan struct{})}
}

func (s *stall) hook(name string, do flow.Action) flow.Action {
	return func(ctx context.Context, in json.RawMessage) (out any, err error) {
		if name != s.action || s.passed.Swap(true) {
			return do(ctx, in)
		}
		if s.after {
			out, err = do(ctx, in)
		}
		close(s.reached)
		<-ctx.Done()
		if s.after && !errors.Is(context.Cause(ctx), flow.ErrInterrupted) {
			return out, err
		}
		return nil, context.Cause(ctx) // of a killed server nothing is saved
	}
}

// reach waits until a build is held.
func (l *lab) reach(s *stall) {
	l.Helper()
	select {
	case <-s.reached:
	case <-time.After(30 * time.Second):
		l.Fatalf("the build did not come to %s", s.action)
	}
}

// allActions are the actions of a build with tests, in order.
var allActions = []string{
	actionPlace, stepLaunchBuild, stepApplyBuild, stepInventory, stepSanitize, stepCreateImage, stepTerminateBuild,
	stepLaunchTest, stepApplyTest, stepTerminateTest, stepCheckBoot, actionDistribute, actionFinish,
}

func eachStall(t *testing.T, test func(t *testing.T, s *stall)) {
	for _, action := range allActions {
		for after, word := range map[bool]string{false: "before", true: "after"} {
			t.Run(word+" "+action, func(t *testing.T) {
				t.Parallel()
				test(t, newStall(action, after))
			})
		}
	}
}

func TestKillInEveryStep(t *testing.T) {
	eachStall(t, func(t *testing.T, s *stall) {
		l, d := fakeLab(t)
		l.hook = s.hook
		arn := l.image("web", tested, l.component("echo", echoDocument))
		l.check(l.builder.StartImage(t.Context(), arn))
		l.reach(s)
		l.kill()
		l.start()
		image := l.await(arn)
		l.wantStatus(image, model.ImageStatusAvailable)
		l.wantClean(d, 1)
		l.wantSteps(arn, keyBuild, model.WorkflowExecutionStatusCompleted, builtSteps...)
		l.wantSteps(arn, keyTest, model.WorkflowExecutionStatusCompleted, testedSteps...)
		l.wantSteps(arn, keyBoot, model.WorkflowExecutionStatusCompleted, "CheckBoot COMPLETED")
		if amis, err := l.db.ListAMIs(t.Context(), arn.Scope()); err != nil || len(amis) != 2 {
			t.Errorf("there are %d AMIs, want the base and one (%v)", len(amis), err)
		}
		if len(d.launches) != 2 {
			t.Errorf("%d instances were launched, want one to build and one to test", len(d.launches))
		}
	})
}

func TestCancelInEveryStep(t *testing.T) {
	eachStall(t, func(t *testing.T, s *stall) {
		if s.action == actionFinish {
			t.Skip("the clean-up is not cancelled")
		}
		l, d := fakeLab(t)
		l.hook = s.hook
		arn := l.image("web", tested, l.component("echo", echoDocument))
		l.check(l.builder.StartImage(t.Context(), arn))
		l.reach(s)
		l.check(l.builder.CancelImage(t.Context(), arn))
		image := l.await(arn)
		if s.action == actionDistribute && s.after {
			l.wantStatus(image, model.ImageStatusAvailable) // it was too late
			l.wantClean(d, 1)
			return
		}
		l.wantStatus(image, model.ImageStatusCancelled)
		kept := 0 // of the AMI, from which a retry goes on
		if last := slices.Index(allActions, stepTerminateBuild); slices.Index(allActions, s.action) > last || s.action == stepTerminateBuild && s.after {
			kept = 1
		}
		l.wantClean(d, kept)
		if amis, err := l.db.ListAMIs(t.Context(), arn.Scope()); err != nil || len(amis) != 1+kept {
			t.Errorf("there are %d AMIs, want the base and %d (%v)", len(amis), kept, err)
		}
		if s.action == actionPlace || s.action == stepLaunchBuild && !s.after {
			return // there is no workflow execution yet
		}
		if status, steps := l.workflow(arn, keyBuild); status == model.WorkflowExecutionStatusRunning || slices.ContainsFunc(steps, hasRunning) {
			t.Errorf("the build workflow is %s with the steps %v", status, steps)
		}
	})
}

func hasRunning(step string) bool { return strings.Contains(step, "RUNNING") }

func TestReboot(t *testing.T) {
	l, d := fakeLab(t)
	var runs atomic.Int32
	d.execute = func(_ context.Context, req toe.Request, emit func(toe.Event)) (toe.Result, error) {
		n := runs.Add(1)
		emit(event(req.Documents[0].Path, fmt.Sprint("boot ", n)))
		return toe.Result{Status: "success", Reboot: n < 3}, nil
	}
	arn := l.image("web", nil, l.component("echo", echoDocument))
	l.wantStatus(l.build(arn), model.ImageStatusAvailable)
	log := l.log(arn)
	for n := 1; n <= 3; n++ {
		if c := strings.Count(log, fmt.Sprint("boot ", n, "\n")); c != 1 {
			t.Errorf("boot %d is in the log %d times, want once:\n%s", n, c, log)
		}
	}
}

// TestExecutedComponents: what components execute, at any depth, goes into the
// instance with them.
func TestExecutedComponents(t *testing.T) {
	l, d := fakeLab(t)
	var brought map[string]toe.Source
	d.execute = func(_ context.Context, req toe.Request, _ func(toe.Event)) (toe.Result, error) {
		brought = req.Components
		return toe.Result{Status: "success"}, nil
	}
	execute := func(arn string) string {
		return "schemaVersion: 1.0\nphases: [{name: build, steps: [{name: s, action: ExecuteDocument, inputs: {document: '" + arn + "'}}]}]"
	}
	inner := l.component("inner", echoDocument)
	middle := l.component("middle", execute(l.arn("component/inner/1.x.x").String()))
	absent := l.component("lost", execute(l.arn("component/absent/1.0.0").String()))
	arn := l.image("web", nil, l.component("outer", execute(middle)), absent)
	l.wantStatus(l.build(arn), model.ImageStatusAvailable)
	got := map[string]string{}
	for text, source := range brought {
		got[text] = source.Path
	}
	want := map[string]string{l.arn("component/inner/1.x.x").String(): inner, middle: middle}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("components in the instance (-want +got):\n%s", diff)
	}
	if data := string(brought[middle].Data); data != execute(l.arn("component/inner/1.x.x").String()) {
		t.Errorf("the document of %s is %q", middle, data)
	}
}

// TestSanitizeAgain: a clean-up that was cut off has taken its marker away.
func TestSanitizeAgain(t *testing.T) {
	l, d := fakeLab(t)
	var found []bool
	s := newStall(stepSanitize, true)
	l.hook = s.hook
	directory := t.TempDir()
	marker := filepath.Join(directory, "perform_cleanup")
	d.sanitize = func(*fakeInstance, func(string)) { found = append(found, os.Remove(marker) == nil) }
	arn := l.image("web", func(i *model.Image) { i.ImageRecipe.WorkingDirectory = directory })
	l.check(l.builder.StartImage(t.Context(), arn))
	l.reach(s)
	l.kill()
	l.start()
	l.wantStatus(l.await(arn), model.ImageStatusAvailable)
	if want := []bool{true, true}; !slices.Equal(found, want) {
		t.Errorf("the clean-up found its marker: %v, want %v", found, want)
	}
}

func TestResumeStartsAndCancels(t *testing.T) {
	l, d := fakeLab(t)
	begun := l.image("begun", nil)
	doomed := l.image("doomed", nil)
	l.check(l.db.Write(t.Context(), func(tx ingot.Tx) error { return ingot.RequestCancel(t.Context(), tx, doomed) }))
	l.stop()
	l.start()
	l.wantStatus(l.await(begun), model.ImageStatusAvailable)
	l.wantStatus(l.await(doomed), model.ImageStatusCancelled)
	l.wantClean(d, 1)
}

// TestBuildOfAnotherVersion: what this version of the program cannot go on with
// fails with the reason, and keeps no server from starting.
func TestBuildOfAnotherVersion(t *testing.T) {
	l, d := fakeLab(t)
	arn := l.image("web", nil)
	_, err := l.db.Writer().Exec(`INSERT INTO flow_run (id, function, input, started) VALUES (?, 'image@0', '{}', '2026-01-01T00:00:00Z')`,
		request{Image: arn.String(), Run: 1}.id())
	l.check(err)
	l.stop()
	l.start()
	image := l.await(arn)
	l.wantStatus(image, model.ImageStatusFailed)
	for _, want := range []string{"image@0", "image@1", "ask for the image again"} {
		if !strings.Contains(image.State.Reason, want) {
			t.Errorf("the reason is %q, want %q in it", image.State.Reason, want)
		}
	}
	l.wantClean(d, 0)
}

func TestSweep(t *testing.T) {
	l, d := fakeLab(t)
	l.wantStatus(l.build(l.image("web", nil)), model.ImageStatusAvailable)
	for _, id := range []string{"i-00000000000000001", "i-00000000000000002"} {
		disk := filepath.Join(d.dir, id, "disk.qcow2")
		l.check(os.MkdirAll(filepath.Dir(disk), 0o700))
		l.check(os.WriteFile(disk, nil, 0o600))
	}
	local, err := l.regions.Region(labRegion)
	l.check(err)
	_, err = local.Disks.Import(t.Context(), "snap-00000000000000001", smallDisk(t), "")
	l.check(err)
	l.check(l.builder.Sweep(t.Context(), []string{"i-00000000000000002"}))
	l.wantClean(d, 1)
	entries, err := os.ReadDir(d.dir)
	l.check(err)
	if len(entries) != 1 || entries[0].Name() != "i-00000000000000002" {
		t.Errorf("after the sweep there are %v", entries)
	}
}

// TestBuildsWaitForTheirTurn: what cannot be built yet stays PENDING.
func TestBuildsWaitForTheirTurn(t *testing.T) {
	l, d := fakeLab(t)
	l.builder.slots.limits.Max = 1
	s := newStall(stepInventory, false)
	l.hook = s.hook
	first, second, third := l.image("first", nil), l.image("second", nil), l.image("third", nil)
	l.check(l.builder.StartImage(t.Context(), first))
	l.reach(s)
	l.check(l.builder.StartImage(t.Context(), second))
	l.check(l.builder.StartImage(t.Context(), third))
	l.check(l.builder.CancelImage(t.Context(), third))
	l.wantStatus(l.await(third), model.ImageStatusCancelled)
	l.wantStatus(l.get(second), model.ImageStatusPending)
	l.check(l.builder.CancelImage(t.Context(), first))
	l.wantStatus(l.await(second), model.ImageStatusAvailable)
	l.wantStatus(l.await(first), model.ImageStatusCancelled)
	l.wantClean(d, 1)
}
