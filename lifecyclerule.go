package ingot

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"ingot.dev/ingot/model"
)

// LifecycleImage is what the rules of a policy look at in an image resource.
type LifecycleImage struct {
	ARN     ARN
	Recipe  string // ARN of the recipe version that it was built from; empty: none
	Status  model.ImageStatus
	Created time.Time
	Tags    map[string]string
	Outputs int // AMIs and container images that it lists
}

// LifecycleDecision is what a run of a policy is to do to an image.
type LifecycleDecision struct {
	LifecycleImage
	Rule   model.LifecyclePolicyDetail
	Reason string // for people
}

// lifecycleOrder is the order in which rules are tried; the first that matches
// an image is the only one for it in a run. Source: lifecycle.md §2.3.
var lifecycleOrder = []model.LifecyclePolicyDetailActionType{
	model.LifecyclePolicyDetailActionTypeDeprecate,
	model.LifecyclePolicyDetailActionTypeDisable,
	model.LifecyclePolicyDetailActionTypeDelete,
}

// DecideLifecycle says what rules do to the images that a policy selects, in
// the order of their ARNs. Images that are being made wait for another run.
// Source: lifecycle.md §2.3.
func DecideLifecycle(rules []model.LifecyclePolicyDetail, images []LifecycleImage, now time.Time) []LifecycleDecision {
	var decisions []LifecycleDecision
	for _, group := range lifecycleGroups(images) {
		decided := make([]bool, len(group))
		for _, action := range lifecycleOrder {
			at := slices.IndexFunc(rules, func(r model.LifecyclePolicyDetail) bool { return r.Action.Type == action })
			if at < 0 {
				continue
			}
			for i, reason := range matchGroup(rules[at], group, now) {
				if reason != "" && !decided[i] {
					decided[i] = true
					decisions = append(decisions, LifecycleDecision{group[i], rules[at], reason})
				}
			}
		}
	}
	slices.SortFunc(decisions, func(a, b LifecycleDecision) int { return compareBuilds(a.ARN, b.ARN) })
	return decisions
}

// lifecycleGroups are the images of each recipe version, or of each name among
// those without a recipe, newest first.
func lifecycleGroups(images []LifecycleImage) [][]LifecycleImage {
	groups := map[string][]LifecycleImage{}
	for _, image := range images {
		if IsImagePending(image.Status) || image.Status == model.ImageStatusDeleted {
			continue
		}
		of := "recipe " + image.Recipe
		if image.Recipe == "" {
			of = "name " + image.ARN.Name
		}
		groups[of] = append(groups[of], image)
	}
	var list [][]LifecycleImage
	for _, of := range slices.Sorted(maps.Keys(groups)) {
		group := groups[of]
		slices.SortFunc(group, func(a, b LifecycleImage) int {
			return cmp.Or(b.Created.Compare(a.Created), compareBuilds(b.ARN, a.ARN))
		})
		list = append(list, group)
	}
	return list
}

// compareBuilds orders images by name, version and build.
func compareBuilds(a, b ARN) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), a.Version.Compare(b.Version), cmp.Compare(a.Build, b.Build))
}

// matchGroup says for each image of a group, newest first, why a rule applies
// to it, or nothing.
func matchGroup(rule model.LifecyclePolicyDetail, group []LifecycleImage, now time.Time) []string {
	if rule.Action.Type == model.LifecyclePolicyDetailActionTypeDelete {
		return matchDelete(rule, group, now)
	}
	reasons := make([]string, len(group))
	for i, image := range group {
		if mayBecome(rule.Action.Type, image.Status) && isOlder(image, rule.Filter, now) && !hasAnyTag(image.Tags, excludedTags(rule)) {
			reasons[i] = olderThan(rule.Filter)
		}
	}
	return reasons
}

// lifecycleTargets are the statuses that a rule acts on. Source: api.md §4.5.
var lifecycleTargets = map[model.LifecyclePolicyDetailActionType][]model.ImageStatus{
	model.LifecyclePolicyDetailActionTypeDeprecate: {model.ImageStatusAvailable},
	model.LifecyclePolicyDetailActionTypeDisable:   {model.ImageStatusAvailable, model.ImageStatusDeprecated},
	model.LifecyclePolicyDetailActionTypeDelete: {
		model.ImageStatusAvailable, model.ImageStatusDeprecated, model.ImageStatusDisabled,
		model.ImageStatusFailed, model.ImageStatusCancelled,
	},
}

func mayBecome(action model.LifecyclePolicyDetailActionType, status model.ImageStatus) bool {
	return slices.Contains(lifecycleTargets[action], status)
}

// matchDelete keeps the newest of a group as the filter says. What is tagged
// so that it is kept takes a place among them only if it is one of them.
func matchDelete(rule model.LifecyclePolicyDetail, group []LifecycleImage, now time.Time) []string {
	f := rule.Filter
	ages := f.Type == model.LifecyclePolicyDetailFilterTypeAge
	retained := f.Value
	if ages {
		retained = 0
		if f.RetainAtLeast != nil {
			retained = *f.RetainAtLeast
		}
	}
	reasons, kept := make([]string, len(group)), 0
	for i, image := range group {
		ended := image.Status == model.ImageStatusFailed || image.Status == model.ImageStatusCancelled
		young := ages && !isOlder(image, f, now)
		switch {
		case young && ended:
		case young, !ended && kept < retained:
			kept++
		case hasAnyTag(image.Tags, excludedTags(rule)):
		case ages:
			reasons[i] = olderThan(f)
		case ended:
			reasons[i] = fmt.Sprintf("it is %s", image.Status)
		default:
			reasons[i] = fmt.Sprintf("%d newer ones are kept", retained)
		}
	}
	return reasons
}

func excludedTags(rule model.LifecyclePolicyDetail) map[string]string {
	if rule.ExclusionRules == nil {
		return nil
	}
	return rule.ExclusionRules.TagMap
}

// hasAnyTag reports whether one of the pairs is among the tags, exactly.
func hasAnyTag(tags, pairs map[string]string) bool {
	for key, value := range pairs {
		if have, ok := tags[key]; ok && have == value {
			return true
		}
	}
	return false
}

func isOlder(image LifecycleImage, f *model.LifecyclePolicyDetailFilter, now time.Time) bool {
	return image.Created.Before(before(now, f.Value, f.Unit))
}

func olderThan(f *model.LifecyclePolicyDetailFilter) string {
	return fmt.Sprintf("it is older than %d %s", f.Value, f.Unit)
}

// before is the time so long before another one. Months and years are those of
// the calendar in UTC, where a month that is too short for the day gives its
// last one. Source: lifecycle.md §2.3.
func before(t time.Time, n int, unit model.LifecyclePolicyTimeUnit) time.Time {
	const day = 24 * time.Hour
	t = t.UTC()
	switch unit {
	case model.LifecyclePolicyTimeUnitDays:
		return t.Add(-time.Duration(n) * day)
	case model.LifecyclePolicyTimeUnitWeeks:
		return t.Add(-time.Duration(n) * 7 * day)
	case model.LifecyclePolicyTimeUnitYears:
		n *= 12
	}
	first := time.Date(t.Year(), t.Month()-time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	lastDay := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), lastDay)-1)
}

// ExcludesAMI says why a rule's exclusions spare an AMI, or nothing. The first
// that hits wins. Source: lifecycle.md §2.3.
func ExcludesAMI(x *model.LifecyclePolicyDetailExclusionRulesAmis, a AMI, now time.Time) string {
	if x == nil {
		return ""
	}
	switch {
	case slices.Contains(x.Regions, a.Region):
		return fmt.Sprintf("AMIs in the region %s are excluded", a.Region)
	case isTrue(x.IsPublic) && a.IsPublic():
		return "public AMIs are excluded"
	case hasAnyTag(a.Tags, x.TagMap):
		return "a tag of the AMI excludes it"
	}
	for _, account := range x.SharedAccounts {
		if a.Permission != nil && slices.Contains(a.Permission.UserIds, account) {
			return fmt.Sprintf("AMIs shared with the account %s are excluded", account)
		}
	}
	if l := x.LastLaunched; l != nil && !a.Launched.IsZero() && a.Launched.After(before(now, l.Value, l.Unit)) {
		return fmt.Sprintf("AMIs launched within %d %s are excluded", l.Value, l.Unit)
	}
	return ""
}
