package lifecycle

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

const (
	deprecates = model.LifecyclePolicyDetailActionTypeDeprecate
	disables   = model.LifecyclePolicyDetailActionTypeDisable
	deletes    = model.LifecyclePolicyDetailActionTypeDelete

	available = model.ImageStatusAvailable
)

func (l *lab) wantImages(when string, want ...string) {
	l.Helper()
	if diff := cmp.Diff(want, l.images()); diff != "" {
		l.Errorf("images %s (-want +got):\n%s", when, diff)
	}
}

func (l *lab) wantRows(id string, parent ingot.ARN, want ...string) {
	l.Helper()
	if diff := cmp.Diff(want, l.rows(id, parent)); diff != "" {
		l.Errorf("rows (-want +got):\n%s", diff)
	}
}

func (l *lab) wantStatus(e ingot.LifecycleExecution, want model.LifecycleExecutionStatus) {
	l.Helper()
	over := want != model.LifecycleExecutionStatusPending && want != model.LifecycleExecutionStatusInProgress
	if e.State.Status != want || (e.EndTime != nil) != over {
		l.Errorf("the execution is %+v with the end %v, want %s", e.State, e.EndTime, want)
	}
}

func TestLC2RecipesAreSelected(t *testing.T) { // and LC-3
	l := newLab(t)
	for n := range 7 {
		l.image(fmt.Sprintf("1.0.0/%d", n+1), 20-n, available)
	}
	l.image("1.0.0/8", 1, model.ImageStatusFailed)
	l.image("1.0.0/9", 0, model.ImageStatusBuilding)
	for n := range 4 {
		l.image(fmt.Sprintf("1.1.0/%d", n+1), 20-n, available)
	}
	l.image("2.0.0/1", 50, available)
	p := l.policy("tidy", "1.x.x", rule(deletes, keep(3)))
	l.pass()
	if len(l.images()) != 14 {
		t.Errorf("the policy ran at once: %v", l.images())
	}
	l.nextRun()
	l.wantImages("after the run", "1.0.0/5 AVAILABLE", "1.0.0/6 AVAILABLE", "1.0.0/7 AVAILABLE", "1.0.0/9 BUILDING",
		"1.1.0/2 AVAILABLE", "1.1.0/3 AVAILABLE", "1.1.0/4 AVAILABLE", "2.0.0/1 AVAILABLE")
	e := l.last(p)
	l.wantStatus(e, model.LifecycleExecutionStatusSuccess)
	if *e.ResourcesImpactedSummary.HasImpactedResources {
		t.Error("records alone are impacted resources")
	}
	record, err := l.Get(t.Context(), p)
	l.check(err)
	if got, err := ingot.Decode[model.LifecyclePolicy](record); err != nil || got.DateLastRun == nil || *got.DateLastRun != *e.StartTime {
		t.Errorf("dateLastRun of %+v, %v, want the start %v", got, err, *e.StartTime)
	}
	if list, _, err := l.LifecycleExecutions(t.Context(), p, "", 5); err != nil || len(list) != 1 {
		t.Errorf("it ran %d times on its first day, %v", len(list), err)
	}
}

func TestTagsAreSelected(t *testing.T) {
	l := newLab(t)
	l.image("1.0.0/1", 9, available, "team=a")
	l.image("1.0.0/2", 9, available, "team=b")
	l.image("1.0.0/3", 9, available, "keep=b", "team=c")
	l.image("2.0.0/1", 1, available, "team=a")
	later := l.image("1.0.0/4", 9, available)
	l.write(func(ctx context.Context, tx ingot.Tx) error {
		return ingot.AddTags(ctx, tx, later, map[string]string{"team": "a"})
	})
	a := l.arn("lifecycle-policy/tagged")
	l.write(func(ctx context.Context, tx ingot.Tx) error {
		return ingot.CreateLifecyclePolicy(ctx, tx, a, &model.CreateLifecyclePolicyRequest{
			Name: "tagged", ExecutionRole: "lifecycle", ResourceType: model.LifecyclePolicyResourceTypeAmiImage,
			PolicyDetails:     []model.LifecyclePolicyDetail{rule(disables, older(5))},
			ResourceSelection: &model.LifecyclePolicyResourceSelection{TagMap: map[string]string{"team": "a", "keep": "b"}},
		}, l.now)
	})
	l.nextRun()
	l.wantImages("after the run", "1.0.0/1 DISABLED", "1.0.0/2 AVAILABLE", "1.0.0/3 DISABLED", "1.0.0/4 DISABLED", "2.0.0/1 AVAILABLE")
}

func TestLC6OneActionPerRun(t *testing.T) {
	l := newLab(t)
	image := l.image("1.0.0/1", 40, available)
	a := l.ami(image, north)
	p := l.policy("ladder", "1.0.0", rule(deletes, older(30), including(true)), rule(disables, older(20), including(false)), rule(deprecates, older(10), including(false)))
	for _, want := range []struct {
		status, tag string
		state       string
	}{{"1.0.0/1 DEPRECATED", "EC2 Image Builder", "deprecated"}, {"1.0.0/1 DISABLED", "", "disabled"}} {
		l.nextRun()
		l.wantImages("after a run", want.status)
		got, err := l.FindAMI(t.Context(), a.Scope, a.ID)
		if err != nil || got.State() != want.state || got.Tags["DeprecatedBy"] != want.tag {
			t.Errorf("the AMI is %s with tags %v, %v, want %s", got.State(), got.Tags, err, want.state)
		}
		i, e := l.getImage(image), l.last(p)
		if i.LifecycleExecutionId != e.LifecycleExecutionId || i.DeprecationTime == nil || string(i.OutputResources.Amis[0].State.Status) != string(i.State.Status) {
			t.Errorf("the image is %+v, and its output %+v", i, i.OutputResources.Amis[0])
		}
		if !*e.ResourcesImpactedSummary.HasImpactedResources {
			t.Error("an AMI is no impacted resource")
		}
	}
	l.nextRun()
	l.wantImages("after the third run")
	if n := l.snapshots(north); n != 0 || l.stored(north) != 0 {
		t.Errorf("%d snapshots and %d blocks are left", n, l.stored(north))
	}
	if list, _, err := l.LifecycleExecutions(t.Context(), image, "", 5); err != nil || len(list) != 3 {
		t.Errorf("executions of the image = %d, %v", len(list), err)
	}
}

func TestLC9ExcludedAMIKeepsItsImage(t *testing.T) {
	l := newLab(t)
	image := l.image("1.0.0/1", 40, available)
	gone, kept := l.ami(image, north), l.ami(image, south)
	p := l.policy("tidy", "x.x.x", rule(deletes, older(30), including(true), excluding(model.LifecyclePolicyDetailExclusionRulesAmis{Regions: []string{south}})))
	l.nextRun()
	e := l.last(p)
	l.wantStatus(e, model.LifecycleExecutionStatusSuccess)
	l.wantRows(e.LifecycleExecutionId, ingot.ARN{}, "DELETE 1.0.0/1 SKIPPED")
	l.wantRows(e.LifecycleExecutionId, image, "DELETE "+gone.ID+" us-east-1 SUCCESS [snapshot SUCCESS]", "DELETE "+kept.ID+" us-west-2 SKIPPED")
	l.wantImages("after the run", "1.0.0/1 AVAILABLE")
	if l.snapshots(north) != 0 || l.snapshots(south) != 1 {
		t.Errorf("%d snapshots in the north, %d in the south", l.snapshots(north), l.snapshots(south))
	}
	rows, _, err := l.LifecycleResources(t.Context(), e.LifecycleExecutionId, image, "", 5)
	if err != nil || !strings.Contains(rows[1].State.Reason, south) {
		t.Errorf("the reason of %+v, %v lacks the region", rows[1].State, err)
	}
	l.nextRun() // and it stays so
	l.wantStatus(l.last(p), model.LifecycleExecutionStatusSuccess)
	l.wantImages("after another run", "1.0.0/1 AVAILABLE")
}

func TestLC10GoneByHand(t *testing.T) {
	l := newLab(t)
	image := l.image("1.0.0/1", 40, available)
	a := l.ami(image, north)
	local, err := l.regions.Region(north)
	l.check(err)
	l.check(local.Deregister(t.Context(), own, a.ID))
	p := l.policy("tidy", "x.x.x", rule(deletes, older(30), including(true)))
	l.nextRun()
	e := l.last(p)
	l.wantStatus(e, model.LifecycleExecutionStatusSuccess)
	l.wantRows(e.LifecycleExecutionId, image, "DELETE "+a.ID+" us-east-1 SUCCESS")
	l.wantImages("after the run")
}

func TestSnapshotsOfOthersStay(t *testing.T) {
	l := newLab(t)
	image := l.image("1.0.0/1", 40, available)
	a := l.ami(image, north)
	other := l.image("2.0.0/1", 1, available)
	l.ami(other, north, func(b *ingot.AMI) { b.Snapshot = a.Snapshot })
	p := l.policy("tidy", "1.x.x", rule(deletes, older(30), including(true)))
	l.nextRun()
	l.wantRows(l.last(p).LifecycleExecutionId, image, "DELETE "+a.ID+" us-east-1 SUCCESS [snapshot SKIPPED]")
	l.wantImages("after the run", "2.0.0/1 AVAILABLE")
	if l.snapshots(north) != 1 {
		t.Errorf("%d snapshots are left, want the one that both have", l.snapshots(north))
	}
}

func TestAMIsWithoutSnapshots(t *testing.T) {
	l := newLab(t)
	image := l.image("1.0.0/1", 40, available)
	a := l.ami(image, north)
	l.policy("tidy", "1.x.x", rule(deletes, older(30), including(false)))
	l.nextRun()
	l.wantImages("after the run")
	if _, err := l.FindAMI(t.Context(), a.Scope, a.ID); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("FindAMI = %v, want CodeNotFound", err)
	}
	l.start(l.DB) // which sweeps
	if l.snapshots(north) != 1 {
		t.Errorf("%d snapshots, want the one that was to stay", l.snapshots(north))
	}
}

func TestOtherPeoplesAMIs(t *testing.T) {
	l := newLab(t)
	owner := l.image("1.0.0/1", 1, available)
	theirs := l.ami(owner, north)
	listing := l.image("2.0.0/1", 40, available) // as a build without a BUILD workflow does
	l.ami(listing, north, func(a *ingot.AMI) { a.ImageARN = owner.String() })
	managed := l.image("2.0.0/2", 40, available)
	base := l.ami(managed, north, func(a *ingot.AMI) { a.Account = ingot.ManagedAccount })
	p := l.policy("tidy", "2.x.x", rule(deletes, older(30), including(true)))
	l.nextRun()
	l.wantStatus(l.last(p), model.LifecycleExecutionStatusSuccess)
	l.wantImages("after the run", "1.0.0/1 AVAILABLE")
	for _, a := range []ingot.AMI{theirs, base} {
		if _, err := l.FindAMI(t.Context(), a.Scope, a.ID); err != nil {
			t.Errorf("%s of %s: %v", a.ID, a.Account, err)
		}
	}
}

func TestOtherAccountsNeedTheirRole(t *testing.T) {
	l := newLab(t)
	image := l.image("1.0.0/1", 40, available)
	a := l.ami(image, north, func(a *ingot.AMI) { a.Account = friend })
	p := l.policy("tidy", "1.x.x", rule(deletes, older(30), including(true)))
	l.nextRun()
	e := l.last(p)
	l.wantStatus(e, model.LifecycleExecutionStatusFailed)
	l.wantRows(e.LifecycleExecutionId, ingot.ARN{}, "DELETE 1.0.0/1 FAILED")
	l.wantImages("after the run", "1.0.0/1 AVAILABLE")
	l.write(func(ctx context.Context, tx ingot.Tx) error {
		if err := ingot.CreateAccount(ctx, tx, ingot.Account{ID: friend, Name: "friend", Created: l.now}); err != nil {
			return err
		}
		_, err := ingot.CreatePrincipal(ctx, tx, ingot.PrincipalName{Account: friend, Kind: ingot.PrincipalRole, Name: crossAccountRole}, nil, l.now)
		return err
	})
	l.nextRun()
	l.wantStatus(l.last(p), model.LifecycleExecutionStatusSuccess)
	l.wantImages("after the role was made")
	if _, err := l.FindAMI(t.Context(), a.Scope, a.ID); ingot.ErrorCode(err) != ingot.CodeNotFound {
		t.Errorf("FindAMI = %v, want CodeNotFound", err)
	}
}

func TestLC12DisableAndEnable(t *testing.T) {
	l := newLab(t)
	image := l.image("1.0.0/1", 1, available)
	a := l.ami(image, north, func(a *ingot.AMI) {
		a.Permission = &model.LaunchPermissionConfiguration{UserIds: []string{friend}}
	})
	for _, c := range []struct {
		to               model.ResourceStatus
		launches, shared bool
		tag              string
	}{
		{model.ResourceStatusDeprecated, true, true, "EC2 Image Builder"},
		{model.ResourceStatusDisabled, false, false, ""},
		{model.ResourceStatusAvailable, true, false, ""},
	} {
		id := l.update(image, c.to)
		if got := l.getImage(image).State.Status; string(got) == string(c.to) {
			t.Errorf("the image is %s before anybody acted", got)
		}
		l.pass()
		got, err := l.FindAMI(t.Context(), a.Scope, a.ID)
		if err != nil || (got.CheckLaunch() == nil) != c.launches || got.UsableBy(friend) != c.shared || got.Tags["DeprecatedBy"] != c.tag {
			t.Errorf("after %s the AMI is %+v, %v", c.to, got, err)
		}
		if i := l.getImage(image); string(i.State.Status) != string(c.to) || i.LifecycleExecutionId != id {
			t.Errorf("after %s the image is %+v of %s", c.to, i.State, i.LifecycleExecutionId)
		}
		e, err := l.LifecycleExecution(t.Context(), id)
		l.check(err)
		l.wantStatus(e, model.LifecycleExecutionStatusSuccess)
	}
}

func TestDeferredDeprecation(t *testing.T) {
	l := newLab(t)
	at := l.now.Add(48*time.Hour + 500*time.Microsecond)
	later := func(in *model.StartResourceStateUpdateRequest) { in.UpdateAt = new(model.EpochOf(at)) }
	image, changed, cancelled := l.image("1.0.0/1", 1, available), l.image("1.0.0/2", 1, available), l.image("1.0.0/3", 1, available)
	a := l.ami(image, north)
	id, superseded, stopped := l.update(image, model.ResourceStatusDeprecated, later), l.update(changed, model.ResourceStatusDeprecated, later), l.update(cancelled, model.ResourceStatusDeprecated, later)
	l.pass()
	if i := l.getImage(image); i.State.Status != available || i.DeprecationTime == nil || !i.DeprecationTime.Time().Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("the image is %+v with the deprecation time %v, want %v", i.State, i.DeprecationTime, at)
	}
	l.update(changed, model.ResourceStatusDisabled) // an execution that waits does not hold its image
	l.pass()
	l.write(func(ctx context.Context, tx ingot.Tx) error {
		return ingot.CancelLifecycleExecution(ctx, tx, ingot.Scope{Account: own, Region: north}, stopped, l.now)
	})
	l.pass()
	if i := l.getImage(cancelled); i.DeprecationTime != nil {
		t.Errorf("after the cancellation the image has the deprecation time %v", i.DeprecationTime)
	}
	l.now = at.Add(-time.Second)
	l.pass()
	l.wantImages("a second before", "1.0.0/1 AVAILABLE", "1.0.0/2 DISABLED", "1.0.0/3 AVAILABLE")
	l.now = at.Add(time.Second)
	l.pass()
	l.wantImages("after the time", "1.0.0/1 DEPRECATED", "1.0.0/2 DISABLED", "1.0.0/3 AVAILABLE")
	if i := l.getImage(image); !i.DeprecationTime.Time().Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("the deprecation time has become %v", i.DeprecationTime)
	}
	if got, err := l.FindAMI(t.Context(), a.Scope, a.ID); err != nil || got.State() != "deprecated" {
		t.Errorf("the AMI is %s, %v", got.State(), err)
	}
	for id, want := range map[string]string{id: "SUCCESS", superseded: "SKIPPED", stopped: "SKIPPED"} {
		rows, _, err := l.LifecycleResources(t.Context(), id, ingot.ARN{}, "", 5)
		if err != nil || len(rows) != 1 || string(rows[0].State.Status) != want {
			t.Errorf("rows = %+v, %v, want one that is %s", rows, err, want)
		}
	}
}

func TestUpdateQuota(t *testing.T) {
	l := newLab(t)
	l.Quotas.ConcurrentStateUpdates = 2
	images := []ingot.ARN{l.image("1.0.0/1", 1, available), l.image("1.0.0/2", 1, available), l.image("1.0.0/3", 1, available)}
	in := &model.StartResourceStateUpdateRequest{
		State: &model.ResourceState{Status: model.ResourceStatusDisabled}, ExecutionRole: "r",
		IncludeResources: &model.ResourceStateUpdateIncludeResources{Amis: new(true)},
	}
	start := func(i int) error {
		return l.Write(t.Context(), func(tx ingot.Tx) error {
			_, err := ingot.UpdateImageState(t.Context(), tx, images[i], in, l.now)
			return err
		})
	}
	l.check(start(0))
	l.check(start(1))
	if err := start(2); ingot.ErrorCode(err) != ingot.CodeQuota {
		t.Errorf("the third update at once = %v, want CodeQuota", err)
	}
	l.pass()
	l.check(start(2))
}

func TestLC14Cancel(t *testing.T) {
	l := newLab(t)
	for n := range 20 {
		l.image(fmt.Sprintf("1.0.0/%d", n+1), 40, available)
	}
	p := l.policy("tidy", "1.x.x", rule(deletes, older(30)))
	writes := 0
	l.start(&hooked{Store: l.DB, before: func() error {
		if writes++; writes == 6 { // the first starts the execution, then each image has one
			id := l.last(p).LifecycleExecutionId
			l.write(func(ctx context.Context, tx ingot.Tx) error {
				return ingot.CancelLifecycleExecution(ctx, tx, ingot.Scope{Account: own, Region: north}, id, l.now)
			})
			l.wantStatusOnly(id, model.LifecycleExecutionStatusCancelling)
		}
		return nil
	}})
	l.nextRun()
	e := l.last(p)
	l.wantStatus(e, model.LifecycleExecutionStatusCancelled)
	if n := len(l.images()); n != 15 {
		t.Errorf("%d images are left, want 15", n)
	}
	counts := map[string]int{}
	rows, _, err := l.LifecycleResources(t.Context(), e.LifecycleExecutionId, ingot.ARN{}, "", 100)
	l.check(err)
	for _, r := range rows {
		counts[string(r.State.Status)]++
	}
	if diff := cmp.Diff(map[string]int{"SUCCESS": 5, "SKIPPED": 15}, counts); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	l.write(func(ctx context.Context, tx ingot.Tx) error { return ingot.DeleteLifecyclePolicy(ctx, tx, p, l.now) })
}

func (l *lab) wantStatusOnly(id string, want model.LifecycleExecutionStatus) {
	l.Helper()
	e, err := l.LifecycleExecution(context.Background(), id)
	l.check(err)
	if e.State.Status != want {
		l.Errorf("the execution is %s, want %s", e.State.Status, want)
	}
}

func TestDisabledPolicyPauses(t *testing.T) {
	l := newLab(t)
	for n := range 4 {
		l.image(fmt.Sprintf("1.0.0/%d", n+1), 40, available)
	}
	p := l.policy("tidy", "1.x.x", rule(deletes, older(30)))
	writes := 0
	l.start(&hooked{Store: l.DB, before: func() error {
		if writes++; writes == 3 {
			l.enable(p, model.LifecyclePolicyStatusDisabled)
		}
		return nil
	}})
	l.nextRun()
	l.wantStatus(l.last(p), model.LifecycleExecutionStatusPending)
	paused := l.last(p).LifecycleExecutionId
	l.nextRun()
	l.wantImages("while the policy is disabled", "1.0.0/3 AVAILABLE", "1.0.0/4 AVAILABLE")
	l.enable(p, model.LifecyclePolicyStatusEnabled)
	l.nextRun()
	l.wantImages("with the next run")
	l.wantStatus(l.last(p), model.LifecycleExecutionStatusSuccess)
	if got := l.last(p).LifecycleExecutionId; got != paused {
		t.Errorf("another execution, %s, was started in place of %s", got, paused)
	}

	l.image("1.0.0/5", 40, available)
	l.image("1.0.0/6", 40, available)
	l.image("1.0.0/7", 40, available)
	writes = 0
	l.nextRun() // is paused again
	l.wantStatus(l.last(p), model.LifecycleExecutionStatusPending)
	l.write(func(ctx context.Context, tx ingot.Tx) error { return ingot.DeleteLifecyclePolicy(ctx, tx, p, l.now) })
	l.pass()
	l.wantStatus(l.last(p), model.LifecycleExecutionStatusCancelled)
}

func TestLC15SelectionIsOfTheStart(t *testing.T) {
	l := newLab(t)
	l.image("1.0.0/1", 40, available)
	l.image("1.0.0/2", 39, available)
	p := l.policy("tidy", "1.x.x", rule(deletes, older(30)))
	writes := 0
	l.start(&hooked{Store: l.DB, before: func() error {
		if writes++; writes == 2 {
			l.image("1.2.0/1", 60, available)
		}
		return nil
	}})
	l.nextRun()
	l.wantImages("after the run", "1.2.0/1 AVAILABLE")
	l.wantRows(l.last(p).LifecycleExecutionId, ingot.ARN{}, "DELETE 1.0.0/1 SUCCESS", "DELETE 1.0.0/2 SUCCESS")
	l.nextRun()
	l.wantImages("after the next run")
}

// An image that somebody changed since it was selected is left alone.
func TestChangedSinceTheSelection(t *testing.T) {
	l := newLab(t)
	image := l.image("1.0.0/1", 40, model.ImageStatusFailed)
	p := l.policy("tidy", "1.x.x", rule(deletes, older(30)))
	writes := 0
	l.start(&hooked{Store: l.DB, before: func() error {
		if writes++; writes == 2 { // on its way to be closed
			l.write(func(ctx context.Context, tx ingot.Tx) error {
				return ingot.UpdateImage(ctx, tx, image, nil, model.ImageStatusTesting, l.now, func(*model.Image) {})
			})
		}
		return nil
	}})
	l.nextRun()
	l.wantRows(l.last(p).LifecycleExecutionId, ingot.ARN{}, "DELETE 1.0.0/1 SKIPPED")
	l.wantImages("after the run", "1.0.0/1 TESTING")
}

func TestPolicyOfAnOldFile(t *testing.T) {
	l := newLab(t)
	l.image("1.0.0/1", 40, available)
	p := l.policy("tidy", "1.x.x", rule(deletes, older(30)))
	l.write(func(ctx context.Context, tx ingot.Tx) error {
		return tx.PutLifecycleDue(ctx, ingot.LifecycleDue{Subject: p.String()}) // as the migration does
	})
	l.pass()
	l.wantImages("before its time", "1.0.0/1 AVAILABLE")
	dues, err := l.LifecycleDues(t.Context(), 5)
	if err != nil || len(dues) != 1 || !dues[0].At.After(l.now) || dues[0].At.After(l.now.Add(24*time.Hour)) {
		t.Errorf("what is due = %v, %v, want the policy within a day", dues, err)
	}
	l.nextRun()
	l.wantImages("after the run")
}

// A broken record must not keep the others waiting.
func TestBrokenImage(t *testing.T) {
	l := newLab(t)
	l.image("1.0.0/1", 40, available)
	l.image("1.0.0/2", 40, available)
	p := l.policy("tidy", "1.x.x", rule(deletes, older(30)))
	writes := 0
	l.start(&hooked{Store: l.DB, before: func() error {
		if writes++; writes == 1 { // about to store the execution
			l.write(func(ctx context.Context, tx ingot.Tx) error {
				_, err := tx.Update(ctx, l.arn("image/demo/1.0.0/1"), nil, func(r *ingot.Record) error {
					r.Document = []byte(`{"name": 7}`)
					return nil
				})
				return err
			})
		}
		return nil
	}})
	l.runner.Log = slog.New(slog.DiscardHandler)
	l.nextRun()
	e := l.last(p)
	l.wantStatus(e, model.LifecycleExecutionStatusFailed)
	l.wantRows(e.LifecycleExecutionId, ingot.ARN{}, "DELETE 1.0.0/1 FAILED", "DELETE 1.0.0/2 SUCCESS")
}

// An entry that cannot be read must not keep the others waiting.
func TestBrokenDue(t *testing.T) {
	l := newLab(t)
	l.image("1.0.0/1", 40, available)
	l.policy("tidy", "1.x.x", rule(deletes, older(30)))
	l.runner.Log = slog.New(slog.DiscardHandler)
	for _, subject := range []string{"nonsense", "lce-none", prefix + "lifecycle-policy/none"} {
		l.write(func(ctx context.Context, tx ingot.Tx) error {
			return tx.PutLifecycleDue(ctx, ingot.LifecycleDue{Subject: subject, At: l.now})
		})
	}
	l.nextRun()
	l.wantImages("after the run")
	if dues, err := l.LifecycleDues(t.Context(), 5); err != nil || len(dues) != 1 {
		t.Errorf("what is due = %v, %v, want the policy alone", dues, err)
	}
}

func TestOldestFirst(t *testing.T) {
	made := func(n, day int) ingot.LifecycleDecision {
		return ingot.LifecycleDecision{LifecycleImage: ingot.LifecycleImage{ARN: ingot.ARN{Build: n}, Created: time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)}}
	}
	all := []ingot.LifecycleDecision{made(1, 3), made(2, 1), made(3, 2), made(4, 1)}
	for n, want := range map[int][]int{4: {1, 2, 3, 4}, 3: {2, 4, 3}, 0: nil} {
		var got []int
		for _, d := range oldest(slices.Clone(all), n) {
			got = append(got, d.ARN.Build)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the oldest %d (-want +got):\n%s", n, diff)
		}
	}
}

func TestLaunchedLately(t *testing.T) {
	l := newLab(t)
	image := l.image("1.0.0/1", 40, available)
	a := l.ami(image, north)
	launch := func() time.Time {
		before, err := l.FindAMI(t.Context(), a.Scope, a.ID)
		l.check(err)
		l.check(ingot.NoteLaunch(t.Context(), l.DB, before, l.now))
		after, err := l.FindAMI(t.Context(), a.Scope, a.ID)
		l.check(err)
		return after.Launched
	}
	first := l.now
	for _, c := range []struct {
		after time.Duration
		want  time.Time
	}{{0, first}, {time.Minute, first}, {2 * time.Hour, first.Add(2*time.Hour + time.Minute)}} {
		l.now = l.now.Add(c.after)
		if got := launch(); !got.Equal(c.want) {
			t.Errorf("launched %s later: %s, want %s", c.after, got, c.want)
		}
	}
	lately := model.LifecyclePolicyDetailExclusionRulesAmisLastLaunched{Value: 2, Unit: model.LifecyclePolicyTimeUnitDays}
	p := l.policy("tidy", "1.x.x", rule(deletes, older(30), including(true), excluding(model.LifecyclePolicyDetailExclusionRulesAmis{LastLaunched: &lately})))
	l.nextRun()
	l.wantRows(l.last(p).LifecycleExecutionId, image, "DELETE "+a.ID+" us-east-1 SKIPPED")
	l.now = l.now.AddDate(0, 0, 1)
	l.nextRun()
	l.wantImages("three days after the launch")
	if err := ingot.NoteLaunch(t.Context(), l.DB, a, l.now); err != nil {
		t.Errorf("NoteLaunch of what is gone: %v", err)
	}
}

func TestPreview(t *testing.T) {
	l := newLab(t)
	image := l.image("1.0.0/1", 40, available)
	gone, kept := l.ami(image, north), l.ami(image, south)
	l.image("1.0.0/2", 35, model.ImageStatusFailed)
	l.image("1.0.0/3", 1, available)
	p := l.policy("tidy", "x.x.x", rule(deletes, older(30), including(true), excluding(model.LifecyclePolicyDetailExclusionRulesAmis{Regions: []string{south}})))
	record, err := l.Get(t.Context(), p)
	l.check(err)
	rows, err := l.runner.Preview(t.Context(), record)
	l.check(err)
	var got []string
	for _, r := range rows {
		got = append(got, strings.TrimPrefix(fmt.Sprintf("%s %s %s", r.ResourceId, r.State.Status, r.State.Reason), prefix))
	}
	want := []string{
		"image/demo/1.0.0/1 SKIPPED 1 of its AMIs are excluded", gone.ID + " IN_PROGRESS ",
		kept.ID + " SKIPPED AMIs in the region us-west-2 are excluded", "image/demo/1.0.0/2 IN_PROGRESS ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Preview (-want +got):\n%s", diff)
	}
	if list, _, err := l.LifecycleExecutions(t.Context(), p, "", 5); err != nil || len(list) != 0 || len(l.images()) != 3 || l.snapshots(north) != 1 {
		t.Errorf("the preview did something: %v, %v", list, err)
	}
}
