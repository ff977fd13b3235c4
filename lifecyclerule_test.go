package ingot_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

var lifecycleNow = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// aged is build n of demo, so many days old. Its recipe has its version.
func aged(version string, n, days int, status model.ImageStatus, tags ...string) ingot.LifecycleImage {
	arn, err := ingot.ParseARN(fmt.Sprintf("arn:aws:imagebuilder:us-east-1:111122223333:image/demo/%s/%d", version, n))
	if err != nil {
		panic(err)
	}
	image := ingot.LifecycleImage{
		ARN: arn, Recipe: "arn:aws:imagebuilder:us-east-1:111122223333:image-recipe/demo/" + version, Status: status,
		Created: lifecycleNow.Add(-time.Duration(days) * 24 * time.Hour), Tags: map[string]string{},
	}
	for _, t := range tags {
		key, value, _ := strings.Cut(t, "=")
		image.Tags[key] = value
	}
	return image
}

// lifecycleRule is a rule of a policy, which change adapts.
func lifecycleRule(action model.LifecyclePolicyDetailActionType, f model.LifecyclePolicyDetailFilter, keep ...string) model.LifecyclePolicyDetail {
	rule := model.LifecyclePolicyDetail{Action: &model.LifecyclePolicyDetailAction{Type: action}, Filter: &f}
	for _, t := range keep {
		key, value, _ := strings.Cut(t, "=")
		rule.ExclusionRules = &model.LifecyclePolicyDetailExclusionRules{TagMap: map[string]string{key: value}}
	}
	return rule
}

func ofAge(value int, unit model.LifecyclePolicyTimeUnit) model.LifecyclePolicyDetailFilter {
	return model.LifecyclePolicyDetailFilter{Type: model.LifecyclePolicyDetailFilterTypeAge, Value: value, Unit: unit}
}

func days(n int) model.LifecyclePolicyDetailFilter {
	return ofAge(n, model.LifecyclePolicyTimeUnitDays)
}

func count(n int) model.LifecyclePolicyDetailFilter {
	return model.LifecyclePolicyDetailFilter{Type: model.LifecyclePolicyDetailFilterTypeCount, Value: n}
}

// decided is what is decided, as "DELETE 1.0.0/2".
func decided(rules []model.LifecyclePolicyDetail, images []ingot.LifecycleImage) (list []string) {
	for _, d := range ingot.DecideLifecycle(rules, images, lifecycleNow) {
		list = append(list, fmt.Sprintf("%s %s/%d", d.Rule.Action.Type, d.ARN.Version, d.ARN.Build))
	}
	return list
}

func TestDecideLifecycle(t *testing.T) {
	const (
		deprecate = model.LifecyclePolicyDetailActionTypeDeprecate
		disable   = model.LifecyclePolicyDetailActionTypeDisable
		remove    = model.LifecyclePolicyDetailActionTypeDelete

		available  = model.ImageStatusAvailable
		deprecated = model.ImageStatusDeprecated
		disabled   = model.ImageStatusDisabled
		failed     = model.ImageStatusFailed
		cancelled  = model.ImageStatusCancelled
	)
	type images = []ingot.LifecycleImage
	type rules = []model.LifecyclePolicyDetail
	builds := func(version string, n int) (list images) {
		for i := range n {
			list = append(list, aged(version, i+1, n-i, available))
		}
		return list
	}
	retain := func(f model.LifecyclePolicyDetailFilter, n int) model.LifecyclePolicyDetailFilter {
		f.RetainAtLeast = &n
		return f
	}
	ladder := rules{lifecycleRule(remove, days(30)), lifecycleRule(disable, days(20)), lifecycleRule(deprecate, days(10))}
	for name, c := range map[string]struct {
		rules  rules
		images images
		want   []string
	}{
		"LC-2": {
			rules{lifecycleRule(remove, count(3))},
			append(builds("1.0.0", 7), builds("1.1.0", 4)...),
			[]string{"DELETE 1.0.0/1", "DELETE 1.0.0/2", "DELETE 1.0.0/3", "DELETE 1.0.0/4", "DELETE 1.1.0/1"},
		},
		"LC-3": {
			rules{lifecycleRule(remove, count(3))},
			append(builds("1.0.0", 7), aged("1.0.0", 8, 0, failed), aged("1.0.0", 9, 0, failed)),
			[]string{"DELETE 1.0.0/1", "DELETE 1.0.0/2", "DELETE 1.0.0/3", "DELETE 1.0.0/4", "DELETE 1.0.0/8", "DELETE 1.0.0/9"},
		},
		"LC-4": {
			rules{lifecycleRule(remove, retain(days(30), 2))},
			images{aged("1.0.0", 1, 90, available), aged("1.0.0", 2, 60, available), aged("1.0.0", 3, 45, available)},
			[]string{"DELETE 1.0.0/1"},
		},
		"LC-5": {
			rules{lifecycleRule(remove, retain(days(30), 2))},
			images{aged("1.0.0", 1, 90, available), aged("1.0.0", 2, 60, available), aged("1.0.0", 3, 45, available), aged("1.0.0", 4, 5, available)},
			[]string{"DELETE 1.0.0/1", "DELETE 1.0.0/2"},
		},
		"LC-6, first run":  {ladder, images{aged("1.0.0", 1, 40, available)}, []string{"DEPRECATE 1.0.0/1"}},
		"LC-6, second run": {ladder, images{aged("1.0.0", 1, 40, deprecated)}, []string{"DISABLE 1.0.0/1"}},
		"LC-6, third run":  {ladder, images{aged("1.0.0", 1, 40, disabled)}, []string{"DELETE 1.0.0/1"}},
		"LC-7": {
			rules{lifecycleRule(remove, count(1), "Keep=yes")},
			images{aged("1.0.0", 3, 1, available, "Keep=yes"), aged("1.0.0", 2, 2, available), aged("1.0.0", 1, 3, available)},
			[]string{"DELETE 1.0.0/1", "DELETE 1.0.0/2"},
		},
		"LC-8": {
			rules{lifecycleRule(remove, count(1), "Keep=yes")},
			images{aged("1.0.0", 3, 1, available), aged("1.0.0", 2, 2, available), aged("1.0.0", 1, 3, available, "Keep=yes")},
			[]string{"DELETE 1.0.0/2"},
		},
		"a tag of another value does not keep": {
			rules{lifecycleRule(deprecate, days(10), "Keep=yes")},
			images{aged("1.0.0", 1, 11, available, "Keep=no"), aged("1.0.0", 2, 11, available, "Keep=yes")},
			[]string{"DEPRECATE 1.0.0/1"},
		},
		"age is exceeded, not reached": {rules{lifecycleRule(deprecate, days(10))}, images{aged("1.0.0", 1, 10, available)}, nil},
		"young images that failed stay and fill no slot": {
			rules{lifecycleRule(remove, retain(days(30), 1))},
			images{aged("1.0.0", 3, 1, failed), aged("1.0.0", 2, 40, available), aged("1.0.0", 1, 41, cancelled)},
			[]string{"DELETE 1.0.0/1"},
		},
		"failed images become nothing else": {
			rules{lifecycleRule(deprecate, days(1)), lifecycleRule(disable, days(1))},
			images{aged("1.0.0", 1, 9, failed), aged("1.0.0", 2, 9, cancelled)},
			nil,
		},
		"those that are deprecated and disabled fill slots": {
			rules{lifecycleRule(remove, count(2))},
			images{aged("1.0.0", 3, 1, disabled), aged("1.0.0", 2, 2, deprecated), aged("1.0.0", 1, 3, available)},
			[]string{"DELETE 1.0.0/1"},
		},
		"what is being made waits, and fills no slot": {
			rules{lifecycleRule(remove, count(1))},
			images{aged("1.0.0", 3, 0, model.ImageStatusBuilding), aged("1.0.0", 2, 1, available), aged("1.0.0", 1, 2, available)},
			[]string{"DELETE 1.0.0/1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			slices.Reverse(c.images) // the order of the images does not matter
			if diff := cmp.Diff(c.want, decided(c.rules, c.images)); diff != "" {
				t.Errorf("decided (-want +got):\n%s", diff)
			}
		})
	}
}

func TestImagesWithoutRecipe(t *testing.T) {
	a, b := aged("1.0.0", 1, 2, model.ImageStatusAvailable), aged("2.0.0", 1, 1, model.ImageStatusAvailable)
	a.Recipe, b.Recipe = "", ""
	other := b
	other.ARN.Name = "other"
	rules := []model.LifecyclePolicyDetail{lifecycleRule(model.LifecyclePolicyDetailActionTypeDelete, count(1))}
	if diff := cmp.Diff([]string{"DELETE 1.0.0/1"}, decided(rules, []ingot.LifecycleImage{a, b, other})); diff != "" {
		t.Errorf("they are a group per name (-want +got):\n%s", diff)
	}
}

func TestAgesByTheCalendar(t *testing.T) {
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for _, c := range []struct {
		now      string
		filter   model.LifecyclePolicyDetailFilter
		youngest string // that is old enough
	}{
		{"2026-07-01T12:00:00Z", ofAge(2, model.LifecyclePolicyTimeUnitWeeks), "2026-06-17T11:59:59Z"},
		{"2026-07-01T12:00:00Z", ofAge(1, model.LifecyclePolicyTimeUnitMonths), "2026-06-01T11:59:59Z"},
		{"2026-03-31T12:00:00Z", ofAge(1, model.LifecyclePolicyTimeUnitMonths), "2026-02-28T11:59:59Z"},
		{"2026-05-31T00:30:00+02:00", ofAge(3, model.LifecyclePolicyTimeUnitMonths), "2026-02-28T22:29:59Z"},
		{"2024-02-29T12:00:00Z", ofAge(1, model.LifecyclePolicyTimeUnitYears), "2023-02-28T11:59:59Z"},
		{"2024-02-29T12:00:00Z", ofAge(24, model.LifecyclePolicyTimeUnitMonths), "2022-02-28T11:59:59Z"},
		{"2026-01-15T12:00:00Z", ofAge(13, model.LifecyclePolicyTimeUnitMonths), "2024-12-15T11:59:59Z"},
	} {
		image := aged("1.0.0", 1, 0, model.ImageStatusAvailable)
		rules := []model.LifecyclePolicyDetail{lifecycleRule(model.LifecyclePolicyDetailActionTypeDelete, c.filter)}
		for late, want := range map[time.Duration]int{0: 1, time.Second: 0} {
			image.Created = at(c.youngest).Add(late)
			if got := ingot.DecideLifecycle(rules, []ingot.LifecycleImage{image}, at(c.now)); len(got) != want {
				t.Errorf("%d %s at %s, made %s: %d are deleted, want %d", c.filter.Value, c.filter.Unit, c.now, image.Created, len(got), want)
			}
		}
	}
}

func TestExcludesAMI(t *testing.T) {
	yes := true
	shared := func(a *ingot.AMI) {
		a.Permission = &model.LaunchPermissionConfiguration{UserIds: []string{"222233334444"}}
	}
	public := func(a *ingot.AMI) {
		a.Permission = &model.LaunchPermissionConfiguration{UserGroups: []string{"all"}}
	}
	launched := func(ago time.Duration) func(*ingot.AMI) {
		return func(a *ingot.AMI) { a.Launched = lifecycleNow.Add(-ago) }
	}
	week := &model.LifecyclePolicyDetailExclusionRulesAmisLastLaunched{Value: 1, Unit: model.LifecyclePolicyTimeUnitWeeks}
	type rule = model.LifecyclePolicyDetailExclusionRulesAmis
	for name, c := range map[string]struct {
		rule   *rule
		change func(*ingot.AMI)
		want   string // part of the reason; empty: acted on
	}{
		"none":                 {nil, public, ""},
		"region":               {&rule{Regions: []string{"eu-west-1", "us-east-1"}}, nil, "region us-east-1"},
		"other region":         {&rule{Regions: []string{"eu-west-1"}}, nil, ""},
		"public":               {&rule{IsPublic: &yes}, public, "public"},
		"not public":           {&rule{IsPublic: &yes}, shared, ""},
		"tag":                  {&rule{TagMap: map[string]string{"no": "x", "team": "web"}}, nil, "tag"},
		"tag of other value":   {&rule{TagMap: map[string]string{"team": "db"}}, nil, ""},
		"shared":               {&rule{SharedAccounts: []string{"999999999999", "222233334444"}}, shared, "222233334444"},
		"not shared":           {&rule{SharedAccounts: []string{"222233334444"}}, public, ""},
		"launched":             {&rule{LastLaunched: week}, launched(6 * 24 * time.Hour), "launched within 1 WEEKS"},
		"launched before":      {&rule{LastLaunched: week}, launched(8 * 24 * time.Hour), ""},
		"launch unknown":       {&rule{LastLaunched: week}, nil, ""},
		"the first one wins":   {&rule{Regions: []string{"us-east-1"}, IsPublic: &yes}, public, "region"},
		"public before shared": {&rule{IsPublic: &yes, TagMap: map[string]string{"team": "web"}}, public, "public"},
	} {
		a := ingot.AMI{Scope: ingot.Scope{Account: "111122223333", Region: "us-east-1"}, Tags: map[string]string{"team": "web"}}
		if c.change != nil {
			c.change(&a)
		}
		got := ingot.ExcludesAMI(c.rule, a, lifecycleNow)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestDeleteKeepsTheNewest holds random groups to what DELETE promises, said
// without counting: an image goes if and only if it ended badly or so many that
// did not are newer and kept, and neither age nor tag spares it.
func TestDeleteKeepsTheNewest(t *testing.T) {
	statuses := []model.ImageStatus{
		model.ImageStatusAvailable, model.ImageStatusDeprecated, model.ImageStatusDisabled, model.ImageStatusFailed, model.ImageStatusCancelled,
	}
	rapid.Check(t, func(rt *rapid.T) {
		var images []ingot.LifecycleImage
		for n := range rapid.IntRange(0, 12).Draw(rt, "images") {
			image := aged("1.0.0", n+1, rapid.IntRange(0, 9).Draw(rt, "age"), rapid.SampledFrom(statuses).Draw(rt, "status"))
			if rapid.Bool().Draw(rt, "tagged") {
				image.Tags["Keep"] = "yes"
			}
			images = append(images, image)
		}
		f, retained := count(rapid.IntRange(1, 5).Draw(rt, "count")), 0
		byAge := rapid.Bool().Draw(rt, "by age")
		if retained = f.Value; byAge {
			f, retained = days(rapid.IntRange(1, 9).Draw(rt, "days")), rapid.IntRange(0, 5).Draw(rt, "retained")
			if retained > 0 {
				f.RetainAtLeast = &retained
			}
		}
		old := func(i ingot.LifecycleImage) bool {
			return !byAge || lifecycleNow.Sub(i.Created) > time.Duration(f.Value)*24*time.Hour
		}
		good := func(i ingot.LifecycleImage) bool {
			return i.Status != model.ImageStatusFailed && i.Status != model.ImageStatusCancelled
		}
		newer := func(a, b ingot.LifecycleImage) bool {
			return a.Created.After(b.Created) || a.Created.Equal(b.Created) && a.ARN.Build > b.ARN.Build
		}
		var want []string
		for _, i := range images {
			before := 0 // good ones that are newer
			for _, j := range images {
				if good(j) && newer(j, i) {
					before++
				}
			}
			if old(i) && i.Tags["Keep"] == "" && (!good(i) || before >= retained) {
				want = append(want, fmt.Sprintf("DELETE 1.0.0/%d", i.ARN.Build))
			}
		}
		shuffled := rapid.Permutation(images).Draw(rt, "order")
		got := decided([]model.LifecyclePolicyDetail{lifecycleRule(model.LifecyclePolicyDetailActionTypeDelete, f, "Keep=yes")}, shuffled)
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("of %v by %+v (-want +got):\n%s", images, f, diff)
		}
	})
}
