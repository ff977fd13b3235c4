package build

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/toe"
)

// observed collects the parts that builds tell of.
type observed struct {
	ended chan Part // of a whole build
	mu    sync.Mutex
	parts []Part
}

func (o *observed) add(p Part) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.parts = append(o.parts, p)
	if p.Kind == PartBuild {
		o.ended <- p
	}
}

// tree lists the parts as "kind/kind name", each once.
func (o *observed) tree(t *testing.T, run string) (list []string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	byID := map[string]Part{}
	for _, p := range o.parts {
		if p.Run != run || p.End.Before(p.Start) || p.End.IsZero() {
			t.Errorf("part of another run, or that ends before it begins: %+v", p)
		}
		byID[p.ID] = p
	}
	for _, p := range byID {
		path := string(p.Kind) + " " + p.Name
		for at := p; at.Parent != ""; {
			parent, ok := byID[at.Parent]
			if !ok {
				t.Errorf("%s %s: its parent %q is missing", at.Kind, at.Name, at.Parent)
				break
			}
			path, at = string(parent.Kind)+"/"+path, parent
		}
		list = append(list, path)
	}
	slices.Sort(list)
	return list
}

var wantTree = []string{
	"build build web-1.0.0-1-ID",
	"build/queue wait for a slot",
	"build/stage BUILDING", "build/stage DISTRIBUTING", "build/stage TESTING",
	"build/stage/workflow boot-image", "build/stage/workflow build-image", "build/stage/workflow test-image",
	"build/stage/workflow/step ApplyBuildComponents", "build/stage/workflow/step ApplyTestComponents", "build/stage/workflow/step CheckBoot",
	"build/stage/workflow/step CollectImageScanFindings", "build/stage/workflow/step CreateOutputAMI", "build/stage/workflow/step InventoryCollection",
	"build/stage/workflow/step LaunchBuildInstance", "build/stage/workflow/step LaunchTestInstance",
	"build/stage/workflow/step RunSanitizeScript", "build/stage/workflow/step RunSysPrepScript",
	"build/stage/workflow/step TerminateBuildInstance", "build/stage/workflow/step TerminateTestInstance",
	"build/stage/workflow/step/boot boot", "build/stage/workflow/step/boot boot",
	"build/stage/workflow/step/launch launch instance", "build/stage/workflow/step/launch launch instance",
	"build/stage/workflow/step/phase echo build", "build/stage/workflow/step/phase echo test", "build/stage/workflow/step/phase echo validate",
	"build/stage/workflow/step/snapshot snapshot",
}

// TestParts builds an image, also with a server that is killed on the way: the
// parts of one build are told of, and all hang together.
func TestParts(t *testing.T) {
	for name, s := range map[string]*stall{
		"undisturbed": newStall("", false), "killed before it sanitizes": newStall(stepSanitize, false),
		"killed before it launches": newStall(stepLaunchTest, false), "killed at the end": newStall(actionFinish, true),
	} {
		t.Run(name, func(t *testing.T) {
			seen := &observed{ended: make(chan Part, 2)}
			l, d := fakeLab(t, func(c *Config) { c.Observe = seen.add })
			d.execute = func(_ context.Context, req toe.Request, emit func(toe.Event)) (toe.Result, error) {
				for _, phase := range req.Phases {
					emit(toe.Event{Time: time.Now(), Level: "Info", Document: req.Documents[0].Path, Phase: phase, Step: "s", Message: phase})
				}
				return toe.Result{Status: "success", ExecutedStepCount: 1}, nil
			}
			l.hook = s.hook
			arn := l.image("web", tested, l.component("echo", echoDocument))
			l.check(l.builder.StartImage(t.Context(), arn))
			if s.action != "" {
				l.reach(s)
				l.kill()
				l.start()
			}
			l.wantStatus(l.await(arn), model.ImageStatusAvailable)
			if p := <-seen.ended; p.Status != "AVAILABLE" || p.Reason != "" {
				t.Errorf("the build is %s: %s", p.Status, p.Reason)
			}
			got := seen.tree(t, arn.String())
			for i := range got {
				got[i] = strings.Replace(got[i], ID(arn), "web-1.0.0-1-ID", 1)
			}
			if diff := cmp.Diff(wantTree, got); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFailedParts: what ends a build has a reason, down to the phase; what the
// end of the server cuts off is not told of.
func TestFailedParts(t *testing.T) {
	seen := &observed{ended: make(chan Part, 1)}
	l, d := fakeLab(t, func(c *Config) { c.Observe = seen.add })
	at := make(chan struct{}, 2)
	d.execute = func(ctx context.Context, req toe.Request, emit func(toe.Event)) (toe.Result, error) {
		emit(toe.Event{Time: time.Now(), Level: "Info", Document: req.Documents[0].Path, Phase: "build", Step: "s", Message: "begins"})
		at <- struct{}{}
		<-ctx.Done()
		return toe.Result{}, ctx.Err()
	}
	document := `steps:
` + launchStep + `  - name: Apply
    action: ExecuteComponents
    timeoutSeconds: 1
    inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}
`
	arn := l.image("web", with(runs(l.workflowOf(model.WorkflowTypeBuild, "slow", document))), l.component("echo", echoDocument))
	image := l.build(arn)
	l.wantStatus(image, model.ImageStatusFailed)
	if p := <-seen.ended; p.Status != "FAILED" || !strings.Contains(p.Reason, "timed out") {
		t.Errorf("the build is %s: %q", p.Status, p.Reason)
	}
	reasons := map[PartKind]string{}
	for _, p := range seen.parts {
		if p.Reason != "" {
			reasons[p.Kind] = p.Reason
		}
	}
	for _, kind := range []PartKind{PartWorkflow, PartStep, PartPhase} {
		if reasons[kind] == "" {
			t.Errorf("the failed %s has no reason; there are %v", kind, reasons)
		}
	}
	w := &work{Builder: l.builder}
	w.image, w.Plan.Image = arn, arn.String()
	n := len(seen.parts)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(flow.ErrInterrupted)
	if err := w.timed(ctx, PartBoot, "boot", func() error { return ctx.Err() }); err == nil || len(seen.parts) != n {
		t.Errorf("what was cut off (%v) was told of: %v", err, seen.parts[n:])
	}
}

// TestLoad: what is under way is known right after a start.
func TestLoad(t *testing.T) {
	l, _ := fakeLab(t)
	first, second := newStall(stepApplyBuild, false), newStall(stepSanitize, false)
	l.hook = func(name string, do flow.Action) flow.Action { return first.hook(name, second.hook(name, do)) }
	arn := l.image("web", nil, l.component("echo", echoDocument))
	l.check(l.builder.StartImage(t.Context(), arn))
	l.reach(first)
	want := Load{Images: map[model.ImageStatus]int{model.ImageStatusBuilding: 1}, Held: 1, Slots: l.builder.Limits.Max}
	if diff := cmp.Diff(want, l.builder.Load()); diff != "" {
		t.Errorf("while it builds (-want +got):\n%s", diff)
	}
	l.kill()
	l.start()
	l.reach(second)
	if diff := cmp.Diff(want, l.builder.Load()); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	l.check(l.builder.CancelImage(t.Context(), arn))
	l.wantStatus(l.await(arn), model.ImageStatusCancelled)
	l.wantFreeSlot(arn)
	want = Load{Images: map[model.ImageStatus]int{}, Slots: l.builder.Limits.Max}
	if diff := cmp.Diff(want, l.builder.Load()); diff != "" {
		t.Errorf("after its end (-want +got):\n%s", diff)
	}
}
