package lifecycle

import (
	"context"
	"fmt"

	"ingot.dev/ingot"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/model"
)

// verdict is what becomes of an output.
type verdict struct {
	status   model.LifecycleExecutionResourceStatus
	reason   string
	excluded bool
}

// acts reports whether something is to be done.
func (v verdict) acts() bool { return v.status == model.LifecycleExecutionResourceStatusInProgress }

var (
	act  = verdict{status: model.LifecycleExecutionResourceStatusInProgress}
	done = verdict{status: model.LifecycleExecutionResourceStatusSuccess}
)

func spare(format string, args ...any) verdict {
	return verdict{status: model.LifecycleExecutionResourceStatusSkipped, reason: fmt.Sprintf(format, args...)}
}

func fail(format string, args ...any) verdict {
	return verdict{status: model.LifecycleExecutionResourceStatusFailed, reason: fmt.Sprintf(format, args...)}
}

// crossAccountRole is the role that lets another account act on the AMIs that
// it has delivered. Source: lifecycle.md §3.
const crossAccountRole = "Ec2ImageBuilderCrossAccountLifecycleAccess"

// judge says whether an output may be acted on, and finds its AMI, which is
// nil when it is gone. It changes nothing.
func (r *Runner) judge(ctx context.Context, w work, row ingot.LifecycleResource) (verdict, *ingot.AMI, error) {
	if w.includes().Containers {
		return fail("this server does not delete container images yet"), nil, nil
	}
	ami, err := r.Store.FindAMI(ctx, ingot.Scope{Account: row.AccountId, Region: row.Region}, row.ResourceId)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		return act, nil, nil // it may have left a snapshot
	}
	if err != nil {
		return verdict{}, nil, err
	}
	if v, err := r.judgeOwner(ctx, w, ami); err != nil || !v.acts() {
		return v, &ami, err
	}
	if reason := ingot.ExcludesAMI(w.includes().Excluded, ami, r.Now()); reason != "" {
		v := spare("%s", reason)
		v.excluded = true
		return v, &ami, nil
	}
	if ami.Account == w.image.Account {
		return act, &ami, nil
	}
	_, err = r.Store.Principal(ctx, ingot.PrincipalName{Account: ami.Account, Kind: ingot.PrincipalRole, Name: crossAccountRole})
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		return fail("the account %s has no role %s, which would allow it", ami.Account, crossAccountRole), &ami, nil
	}
	return act, &ami, err
}

// judgeOwner spares an AMI that the image only lists: its parent's, or one that
// it has distributed. The image that it belongs to decides about it, as long
// as there is one.
func (r *Runner) judgeOwner(ctx context.Context, w work, ami ingot.AMI) (verdict, error) {
	if ami.Account == ingot.ManagedAccount {
		return spare("it is a managed image"), nil
	}
	owner, err := ingot.ParseARN(ami.ImageARN)
	if err != nil || owner.Key() == w.image.Key() {
		return act, nil // nobody else's
	}
	other, err := findImage(ctx, r.Store, owner)
	if err != nil || other == nil {
		return act, err
	}
	return spare("it belongs to the image %s", owner), nil
}

// act has its effect on an AMI, nil if it is gone. An error is one that goes
// away: of the store, or the end of ctx.
func (r *Runner) act(ctx context.Context, w work, row *ingot.LifecycleResource, ami *ingot.AMI) (verdict, error) {
	var err error
	switch {
	case w.action == model.LifecycleExecutionResourceActionNameDelete:
		err = r.remove(ctx, w, row, ami)
	case ami != nil:
		err = r.Store.UpdateAMI(ctx, ami.Scope, ami.ID, r.change(w.action))
	}
	switch {
	case err == nil, ingot.ErrorCode(err) == ingot.CodeNotFound: // gone is as good
		return done, nil
	case ingot.IsTransient(ctx, err):
		return verdict{}, err
	}
	return fail("%v", err), nil
}

// change is the effect of an action on the record of an AMI.
func (r *Runner) change(action model.LifecycleExecutionResourceActionName) func(*ingot.AMI) {
	return func(a *ingot.AMI) {
		switch action {
		case model.LifecycleExecutionResourceActionNameDeprecate:
			if a.Deprecated.IsZero() {
				a.Deprecate(r.Now())
			}
		case model.LifecycleExecutionResourceActionNameDisable:
			a.Disable()
		case model.LifecycleExecutionResourceActionNameAvailable:
			a.Enable()
		}
	}
}

// remove deregisters an AMI. Its snapshot goes with it if the action includes
// snapshots; what a run that was cut off has left of it is in the row.
func (r *Runner) remove(ctx context.Context, w work, row *ingot.LifecycleResource, ami *ingot.AMI) error {
	local, err := r.Regions.Region(row.Region)
	if err != nil {
		return err
	}
	if ami != nil && !w.includes().Snapshots {
		return local.Retire(ctx, ami.Account, ami.ID)
	}
	if ami != nil {
		if err := local.Deregister(ctx, ami.Account, ami.ID); err != nil && ingot.ErrorCode(err) != ingot.CodeNotFound {
			return err
		}
	}
	for i, s := range row.Snapshots {
		user, err := local.Free(ctx, disk.SnapshotID(s.SnapshotId))
		if err != nil {
			return err
		}
		state := &model.LifecycleExecutionResourceState{Status: model.LifecycleExecutionResourceStatusSuccess}
		if user != "" {
			state = &model.LifecycleExecutionResourceState{Status: model.LifecycleExecutionResourceStatusSkipped, Reason: fmt.Sprintf("%s uses it", user)}
		}
		row.Snapshots[i].State = state
	}
	return nil
}
