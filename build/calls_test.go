package build

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/model"
)

var update = flag.Bool("update", false, "write the golden file")

// callsFile has what the durable function asks for in some builds, by its
// place, under the function's name and version.
const callsFile = "testdata/calls.json"

type calls struct {
	Function string              `json:"function"`
	Builds   map[string][]string `json:"builds"` // by case: place, kind and name of each call
}

// TestCallsKeepTheirPlaces: a build that a server began goes on with the next
// version of it only if the function asks for the same at the same places. A
// function that does not must have another version, which -update insists on.
func TestCallsKeepTheirPlaces(t *testing.T) {
	got := calls{Function: function, Builds: map[string][]string{
		"default":       callsOf(t, model.ImageStatusAvailable, func(l *lab) ingot.ARN { return l.image("web", tested, l.component("echo", echoDocument)) }),
		"without tests": callsOf(t, model.ImageStatusAvailable, func(l *lab) ingot.ARN { return l.image("web", nil) }),
		"own workflows": callsOf(t, model.ImageStatusAvailable, ownWorkflows),
		"retry":         callsOfRetry(t, func(l *lab, arn ingot.ARN) error { return l.builder.RetryFrom(l.Context(), arn, stepApplyBuild) }),
		"failed, undone": callsOf(t, model.ImageStatusFailed, func(l *lab) ingot.ARN {
			l.hook = failing(stepApplyBuild, 1)
			return l.image("web", nil, l.component("echo", echoDocument))
		}),
	}}
	data, err := os.ReadFile(callsFile)
	if err != nil && !*update {
		t.Fatal(err)
	}
	want := calls{}
	if err == nil {
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.Builds)) {
		if diff := cmp.Diff(want.Builds[name], got.Builds[name]); diff != "" && want.Function == function {
			t.Errorf("the calls of the build %q have changed, and the function is still %s; raise its version, then run with -update (-want +got):\n%s", name, function, diff)
		}
	}
	if diff := cmp.Diff(want, got); diff == "" || t.Failed() {
		return
	} else if !*update {
		t.Fatalf("%s is not in step; run with -update (-want +got):\n%s", callsFile, diff)
	}
	data, err = json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(callsFile, append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// ownWorkflows has an approval, a pause, a condition, a group and a distribution.
func ownWorkflows(l *lab) ingot.ARN {
	one := l.workflowOf(model.WorkflowTypeTest, "one", "steps:\n"+launchStep+`  - {name: Online, action: WaitForSSMAgent, waitSeconds: 1, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}
  - {name: Never, action: WaitForAction, if: {stringEquals: x, value: $.imagebuilder.platform}}
`)
	two := l.workflowOf(model.WorkflowTypeTest, "two", fmt.Sprintf(approvalDocument, 3600))
	send := l.workflowOf(model.WorkflowTypeDistribution, "send", "steps:\n  - {name: Copy, action: DistributeImage}\n")
	grouped := runs(one)
	grouped.ParallelGroup = "pair"
	mate := runs(two)
	mate.ParallelGroup = "pair"
	arn := l.image("web", with(runs("arn:aws:imagebuilder:eu-test-1:aws:workflow/build/build-image/x.x.x"), grouped, mate, runs(send)))
	go func() {
		for l.Context().Err() == nil {
			list, _, err := l.db.WaitingSteps(l.Context(), arn.Scope(), "", 10)
			if err == nil && len(list) == 1 {
				_ = l.answer(list[0], model.WorkflowStepActionTypeResume, "") // the build shows it
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return arn
}

// callsOf builds an image and lists what the function asked for before its end.
func callsOf(t *testing.T, want model.ImageStatus, image func(*lab) ingot.ARN) []string {
	l, _ := fakeLab(t)
	arn := image(l)
	var list []string
	l.listCalls(&list)
	l.wantStatus(l.build(arn), want)
	return list
}

// callsOfRetry does the same for a retry of a build that failed.
func callsOfRetry(t *testing.T, retry func(*lab, ingot.ARN) error) []string {
	l, d := fakeLab(t)
	d.failingRuns("build", 1)
	arn := l.image("web", kept, l.component("echo", echoDocument))
	l.wantStatus(l.build(arn), model.ImageStatusFailed)
	var list []string
	l.listCalls(&list)
	l.check(retry(l, arn))
	l.wantStatus(l.awaitAgain(arn), model.ImageStatusAvailable)
	return list
}

// listCalls reads the journal of the run that is about to finish: it is gone then.
func (l *lab) listCalls(list *[]string) {
	inner := l.hook
	l.hook = func(name string, do flow.Action) flow.Action {
		if inner != nil {
			do = inner(name, do)
		}
		if name != actionFinish {
			return do
		}
		return func(ctx context.Context, in json.RawMessage) (any, error) {
			rows, err := l.db.Writer().QueryContext(ctx, `SELECT position || ' ' || kind || ' ' || name FROM flow_event
				JOIN flow_run ON flow_run.id = run WHERE ended IS NULL ORDER BY position`)
			if err != nil {
				return nil, err
			}
			defer rows.Close()
			for rows.Next() {
				var call string
				if err := rows.Scan(&call); err != nil {
					return nil, err
				}
				*list = append(*list, call)
			}
			if err := rows.Err(); err != nil {
				return nil, err
			}
			if err := rows.Close(); err != nil { // the action needs the connection
				return nil, err
			}
			return do(ctx, in)
		}
	}
}
