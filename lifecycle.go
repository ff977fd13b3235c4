package ingot

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ingot.dev/ingot/model"
)

// CreateLifecyclePolicy stores a new policy. Source: api.md §3.11.
func CreateLifecyclePolicy(ctx context.Context, tx Tx, arn ARN, in *model.CreateLifecyclePolicyRequest, now time.Time) error {
	p := &model.LifecyclePolicy{
		Arn: arn.String(), Name: in.Name, Description: in.Description, Status: in.Status,
		ExecutionRole: in.ExecutionRole, ResourceType: in.ResourceType, PolicyDetails: in.PolicyDetails,
		ResourceSelection: in.ResourceSelection, DateCreated: new(model.EpochOf(now)),
	}
	if err := checkLifecyclePolicy(p); err != nil {
		return err
	}
	if err := CheckRole(ctx, tx, arn.Account, "executionRole", p.ExecutionRole); err != nil {
		return err
	}
	r := Record{ARN: arn, Name: p.Name, Created: now, Tags: in.Tags}
	if err := putLifecyclePolicy(&r, p, now); err != nil {
		return err
	}
	if err := checkFree(ctx, tx, arn); err != nil {
		return err
	}
	if err := CheckQuota(ctx, tx, arn.Scope(), KindLifecycle); err != nil {
		return err
	}
	if err := tx.Create(ctx, r); err != nil {
		return err
	}
	return setLifecycleDue(ctx, tx, arn, p.Status, now)
}

// UpdateLifecyclePolicy replaces a stored policy, of which name, creation and
// last run stay. Source: api.md §3.11.
func UpdateLifecyclePolicy(ctx context.Context, tx Tx, arn ARN, in *model.UpdateLifecyclePolicyRequest, now time.Time) error {
	p := &model.LifecyclePolicy{
		Arn: arn.String(), Description: in.Description, Status: in.Status, ExecutionRole: in.ExecutionRole,
		ResourceType: in.ResourceType, PolicyDetails: in.PolicyDetails, ResourceSelection: in.ResourceSelection,
	}
	if err := checkLifecyclePolicy(p); err != nil {
		return err
	}
	if err := CheckRole(ctx, tx, arn.Account, "executionRole", p.ExecutionRole); err != nil {
		return err
	}
	_, err := tx.Update(ctx, arn, nil, func(r *Record) error {
		old, err := Decode[model.LifecyclePolicy](*r)
		if err != nil {
			return err
		}
		if p.ResourceType != old.ResourceType {
			return InvalidField("resourceType", "A policy keeps its resource type, which is %s. Make a new policy for the other type.", old.ResourceType)
		}
		p.Name, p.DateCreated, p.DateLastRun = old.Name, old.DateCreated, old.DateLastRun
		return putLifecyclePolicy(r, p, now)
	})
	if err != nil {
		return err
	}
	return setLifecycleDue(ctx, tx, arn, p.Status, now)
}

// putLifecyclePolicy makes a checked policy the document of a record.
func putLifecyclePolicy(r *Record, p *model.LifecyclePolicy, now time.Time) (err error) {
	if p.Status == "" {
		p.Status = model.LifecyclePolicyStatusEnabled
	}
	p.DateUpdated = new(model.EpochOf(now))
	r.Status, r.Updated = string(p.Status), now
	if r.Document, err = json.Marshal(p); err != nil {
		return fmt.Errorf("encoding %s: %w", r.ARN, err)
	}
	return nil
}

// DeleteLifecyclePolicy removes a policy that is not acting. Its executions
// stay; one that is paused is cancelled. Source: api.md §3.11.
func DeleteLifecyclePolicy(ctx context.Context, tx Tx, arn ARN, now time.Time) error {
	id, err := tx.ActiveLifecycle(ctx, arn)
	if err != nil {
		return err
	}
	if id != "" {
		return Errorf(CodeDependency, "Resource dependency error: The lifecycle policy '%s' has the execution '%s' under way. Wait until it has ended.", arn, id)
	}
	if id, err = tx.OpenLifecycle(ctx, arn); err != nil {
		return err
	}
	if id != "" {
		e, err := tx.LifecycleExecution(ctx, id)
		if err != nil {
			return err
		}
		if err := stopLifecycle(ctx, tx, e, "The policy was deleted.", now); err != nil {
			return err
		}
	}
	if err := tx.Delete(ctx, arn); err != nil {
		return err
	}
	return tx.DeleteLifecycleDue(ctx, arn.String())
}

// checkLifecyclePolicy checks the members of a policy against each other.
// Source: lifecycle.md §1.
func checkLifecyclePolicy(p *model.LifecyclePolicy) error {
	if err := checkSelection(p.ResourceSelection); err != nil {
		return err
	}
	seen := map[model.LifecyclePolicyDetailActionType]bool{}
	for i, d := range p.PolicyDetails {
		field := fmt.Sprintf("policyDetails[%d]", i)
		if seen[d.Action.Type] {
			return Errorf(CodeCombination, "The action %s is in 'policyDetails' twice. A policy has at most one rule of each type.", d.Action.Type)
		}
		seen[d.Action.Type] = true
		for _, check := range []error{
			checkAction(field+".action", d.Action, p.ResourceType),
			checkRuleFilter(field+".filter", d.Filter, d.Action.Type),
			checkExclusions(field+".exclusionRules", d.ExclusionRules, p.ResourceType),
		} {
			if check != nil {
				return check
			}
		}
	}
	return nil
}

// checkSelection checks what a policy applies to. Recipes need not exist yet.
// Source: lifecycle.md §1.2.
func checkSelection(s *model.LifecyclePolicyResourceSelection) error {
	if (len(s.Recipes) == 0) == (len(s.TagMap) == 0) {
		return Errorf(CodeCombination, "Exactly one of the parameters 'resourceSelection.recipes' and 'resourceSelection.tagMap' must be given.")
	}
	for _, recipe := range s.Recipes {
		if _, err := ParseVersion(recipe.SemanticVersion); err != nil {
			return err
		}
	}
	return nil
}

func checkAction(field string, a *model.LifecyclePolicyDetailAction, resource model.LifecyclePolicyResourceType) error {
	containers := resource == model.LifecyclePolicyResourceTypeContainerImage
	if containers && a.Type != model.LifecyclePolicyDetailActionTypeDelete {
		return Errorf(CodeCombination, "The action %s of '%s' is for AMI images only. A policy for container images can DELETE.", a.Type, field)
	}
	if a.IncludeResources == nil {
		return nil
	}
	include := includedResources(*a.IncludeResources)
	return include.check(field+".includeResources", containers, a.Type == model.LifecyclePolicyDetailActionTypeDelete)
}

// includedResources are the outputs of an image that an action is extended to.
type includedResources model.LifecyclePolicyDetailActionIncludeResources

func (r includedResources) amis() bool       { return isTrue(r.Amis) }
func (r includedResources) snapshots() bool  { return isTrue(r.Snapshots) }
func (r includedResources) containers() bool { return isTrue(r.Containers) }

func isTrue(b *bool) bool { return b != nil && *b }

// check checks what is included for images of one type, to be deleted or not.
func (r includedResources) check(field string, containers, deleted bool) error {
	switch {
	case containers && (r.amis() || r.snapshots()):
		return Errorf(CodeCombination, "The parameters '%[1]s.amis' and '%[1]s.snapshots' are for AMI images only.", field)
	case !containers && r.containers():
		return Errorf(CodeCombination, "The parameter '%s.containers' is for container images only.", field)
	}
	return r.checkAction(field, deleted)
}

// checkAction checks what holds for images of both types.
func (r includedResources) checkAction(field string, deleted bool) error {
	switch {
	case !deleted && (r.snapshots() || r.containers()):
		return Errorf(CodeCombination, "The parameters '%[1]s.snapshots' and '%[1]s.containers' are for deleting only.", field)
	case r.snapshots() && !r.amis():
		return Errorf(CodeCombination, "The parameter '%[1]s.snapshots' needs '%[1]s.amis' too: a snapshot goes with its AMI.", field)
	}
	return nil
}

// checkRuleFilter checks when a rule applies. Source: lifecycle.md §1.1.
func checkRuleFilter(field string, f *model.LifecyclePolicyDetailFilter, action model.LifecyclePolicyDetailActionType) error {
	deletes := action == model.LifecyclePolicyDetailActionTypeDelete
	if f.Type == model.LifecyclePolicyDetailFilterTypeAge {
		switch {
		case f.Unit == "":
			return Errorf(CodeRequest, "The filter AGE of '%s' needs a unit: DAYS, WEEKS, MONTHS or YEARS.", field)
		case f.RetainAtLeast != nil && !deletes:
			return Errorf(CodeCombination, "The parameter '%s.retainAtLeast' is for the action DELETE only.", field)
		}
		return nil
	}
	switch {
	case !deletes:
		return Errorf(CodeCombination, "The filter COUNT of '%s' is for the action DELETE only. The action %s goes by AGE.", field, action)
	case f.Unit != "":
		return Errorf(CodeCombination, "The parameter '%s.unit' is for the filter AGE only.", field)
	case f.RetainAtLeast != nil:
		return Errorf(CodeCombination, "The parameter '%s.retainAtLeast' is for the filter AGE only. COUNT keeps as many images as its value says.", field)
	}
	return nil
}

func checkExclusions(field string, x *model.LifecyclePolicyDetailExclusionRules, resource model.LifecyclePolicyResourceType) error {
	if x != nil && x.Amis != nil && resource != model.LifecyclePolicyResourceTypeAmiImage {
		return Errorf(CodeCombination, "The parameter '%s.amis' is for policies of AMI images only.", field)
	}
	return nil
}
