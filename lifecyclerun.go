package ingot

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"ingot.dev/ingot/model"
)

// NextLifecycleRun is the first time after the given one at which a policy
// runs: once a day, at a time that its ARN gives. Source: lifecycle.md §2.1.
func NextLifecycleRun(policy ARN, after time.Time) time.Time {
	const day = 24 * time.Hour
	h := fnv.New64a()
	h.Write([]byte(policy.Key()))
	at := after.UTC().Truncate(day).Add(time.Duration(h.Sum64()%uint64(day/time.Second)) * time.Second)
	if !at.After(after) {
		at = at.Add(day)
	}
	return at
}

// setLifecycleDue follows a change of a policy's status.
func setLifecycleDue(ctx context.Context, tx LifecycleWriter, arn ARN, status model.LifecyclePolicyStatus, now time.Time) error {
	if status == model.LifecyclePolicyStatusEnabled {
		return tx.PutLifecycleDue(ctx, LifecycleDue{Subject: arn.String(), At: NextLifecycleRun(arn, now)})
	}
	return tx.DeleteLifecycleDue(ctx, arn.String())
}

// selectionPage is how many images are read together.
const selectionPage = 100

// SelectLifecycleImages lists the images of a policy's account and region that
// it selects, each once. It reads no others. Source: lifecycle.md §1.2.
func SelectLifecycleImages(ctx context.Context, r RecordReader, policy ARN, p *model.LifecyclePolicy) ([]LifecycleImage, error) {
	s := selection{r: r, policy: policy, of: imageTypes[p.ResourceType], seen: map[string]bool{}}
	for _, recipe := range p.ResourceSelection.Recipes {
		version, err := ParseVersion(recipe.SemanticVersion)
		if err != nil {
			return nil, err
		}
		// An image has the name and version of its recipe.
		under := policy
		under.Kind, under.Name, under.Version = KindImage, NormalizeName(recipe.Name), version
		if err := s.add(ctx, Query{Under: under}, s.isOfRecipe); err != nil {
			return nil, err
		}
	}
	if tags := p.ResourceSelection.TagMap; len(tags) > 0 {
		f := Filter{Name: FilterTag}
		for key, value := range tags {
			f.Values = append(f.Values, TagTerm(key, value))
		}
		err := s.add(ctx, Query{Filters: []Filter{f}}, func(i LifecycleImage) bool { return hasAnyTag(i.Tags, tags) })
		if err != nil {
			return nil, err
		}
	}
	return s.images, nil
}

// imageTypes are the images that policies of each type are about.
var imageTypes = map[model.LifecyclePolicyResourceType]model.ImageType{
	model.LifecyclePolicyResourceTypeAmiImage:       model.ImageTypeAmi,
	model.LifecyclePolicyResourceTypeContainerImage: model.ImageTypeDocker,
}

// selection gathers the images of a policy.
type selection struct {
	r      RecordReader
	policy ARN
	of     model.ImageType
	images []LifecycleImage
	seen   map[string]bool // keys of ARNs
}

// isOfRecipe reports whether an image was built from a recipe of the policy's account.
func (s *selection) isOfRecipe(i LifecycleImage) bool {
	recipe, err := ParseARN(i.Recipe)
	return err == nil && recipe.Account == s.policy.Account
}

// add adds what a query finds and keep keeps.
func (s *selection) add(ctx context.Context, q Query, keep func(LifecycleImage) bool) error {
	q.Scope, q.Kind, q.Limit = s.policy.Scope(), KindImage, selectionPage
	for {
		page, err := s.r.List(ctx, q)
		if err != nil {
			return fmt.Errorf("selecting the images of %s: %w", s.policy, err)
		}
		for _, record := range page.Records {
			image, err := Decode[model.Image](record)
			if err != nil {
				return err
			}
			seen := lifecycleImage(record, image)
			if image.Type == s.of && keep(seen) && !s.seen[record.ARN.Key()] {
				s.seen[record.ARN.Key()] = true
				s.images = append(s.images, seen)
			}
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}

// lifecycleImage is what the rules see of an image. It was created when it was
// asked for: api.md §4.5 goes by dateCreated.
func lifecycleImage(r Record, image *model.Image) LifecycleImage {
	seen := LifecycleImage{ARN: r.ARN, Status: model.ImageStatus(r.Status), Created: r.Created, Tags: r.Tags, Outputs: countOutputs(image)}
	switch {
	case image.ImageRecipe != nil:
		seen.Recipe = image.ImageRecipe.Arn
	case image.ContainerRecipe != nil:
		seen.Recipe = image.ContainerRecipe.Arn
	}
	return seen
}

func countOutputs(image *model.Image) int {
	if image.OutputResources == nil {
		return 0
	}
	return len(image.OutputResources.Amis) + len(image.OutputResources.Containers)
}

// PlanLifecycleRun is the execution of a policy that carries out what was
// decided for it.
func PlanLifecycleRun(policy ARN, decisions []LifecycleDecision, now time.Time) LifecycleExecution {
	e := NewLifecycleExecution(policy.Scope(), model.LifecycleExecutionStatusInProgress, now)
	e.LifecyclePolicyArn = policy.String()
	e.Actions = map[model.LifecycleExecutionResourceActionName]LifecycleAction{}
	impacted := false
	for _, d := range decisions {
		action := ruleAction(d.Rule)
		e.Actions[ruleActionName(d.Rule)] = action
		impacted = impacted || action.reaches() && d.Outputs > 0
	}
	e.ResourcesImpactedSummary = &model.LifecycleExecutionResourcesImpactedSummary{HasImpactedResources: &impacted}
	return e
}

// StartLifecycleRun stores the execution of a policy that carries out what was
// decided for it, and sets when the policy runs next. CodeInUse if the policy
// has been written since it was read.
func StartLifecycleRun(ctx context.Context, tx Tx, read Record, decisions []LifecycleDecision, now time.Time) (LifecycleExecution, error) {
	e := PlanLifecycleRun(read.ARN, decisions, now)
	if err := noteLifecycleRun(ctx, tx, read, now); err != nil {
		return e, err
	}
	if err := setLifecycleDue(ctx, tx, read.ARN, model.LifecyclePolicyStatusEnabled, now); err != nil {
		return e, err
	}
	if err := tx.PutLifecycleExecution(ctx, e); err != nil {
		return e, err
	}
	for _, d := range decisions {
		if err := tx.PutLifecycleResource(ctx, e.LifecycleExecutionId, NewLifecycleResource(d)); err != nil {
			return e, err
		}
	}
	return e, tx.PutLifecycleDue(ctx, LifecycleDue{Subject: e.LifecycleExecutionId, At: now})
}

// noteLifecycleRun sets the last run of a policy that is as it was read.
func noteLifecycleRun(ctx context.Context, tx Tx, read Record, now time.Time) error {
	_, err := tx.Update(ctx, read.ARN, []string{string(model.LifecyclePolicyStatusEnabled)}, func(r *Record) error {
		if !r.Updated.Equal(read.Updated) {
			return Errorf(CodeInUse, "The lifecycle policy '%s' was changed.", read.ARN)
		}
		p, err := Decode[model.LifecyclePolicy](*r)
		if err != nil {
			return err
		}
		p.DateLastRun = new(model.EpochOf(now))
		r.Document, err = json.Marshal(p)
		return err
	})
	return err
}

// ruleActionName is the action of a rule as executions name it.
func ruleActionName(rule model.LifecyclePolicyDetail) model.LifecycleExecutionResourceActionName {
	return model.LifecycleExecutionResourceActionName(rule.Action.Type)
}

// ruleAction is what a rule includes and excludes.
func ruleAction(rule model.LifecyclePolicyDetail) LifecycleAction {
	var a LifecycleAction
	if include := rule.Action.IncludeResources; include != nil {
		a = includedResources(*include).action()
	}
	if rule.ExclusionRules != nil {
		a.Excluded = rule.ExclusionRules.Amis
	}
	return a
}

func (r includedResources) action() LifecycleAction {
	return LifecycleAction{AMIs: r.amis(), Snapshots: r.snapshots(), Containers: r.containers()}
}

// reaches reports whether the action extends to outputs of images.
func (a LifecycleAction) reaches() bool { return a.AMIs || a.Snapshots || a.Containers }

// NewLifecycleResource is the image of a decision, to be dealt with.
func NewLifecycleResource(d LifecycleDecision) LifecycleResource {
	return newLifecycleResource(d.ARN, ruleActionName(d.Rule), d.Reason)
}

// newLifecycleResource is an image that an execution has to deal with.
func newLifecycleResource(image ARN, action model.LifecycleExecutionResourceActionName, reason string) LifecycleResource {
	return LifecycleResource{LifecycleExecutionResource: model.LifecycleExecutionResource{
		AccountId: image.Account, ResourceId: image.String(), Region: image.Region,
		Action: &model.LifecycleExecutionResourceAction{Name: action, Reason: reason},
		State:  &model.LifecycleExecutionResourceState{Status: model.LifecycleExecutionResourceStatusInProgress},
	}}
}
