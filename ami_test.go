package ingot_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func TestAMIStates(t *testing.T) {
	const owner, friend, stranger = "111122223333", "222233334444", "333344445555"
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	fresh := func() *ingot.AMI {
		return &ingot.AMI{
			Scope: ingot.Scope{Account: owner}, Tags: map[string]string{"team": "web"},
			Permission: &model.LaunchPermissionConfiguration{UserIds: []string{friend}},
		}
	}
	for name, c := range map[string]struct {
		change   func(*ingot.AMI)
		state    string
		tags     map[string]string
		launches bool
		shared   bool
	}{
		"as registered": {func(*ingot.AMI) {}, "available", map[string]string{"team": "web"}, true, true},
		"deprecated": {
			func(a *ingot.AMI) { a.Deprecate(since) },
			"deprecated",
			map[string]string{"team": "web", "DeprecatedBy": "EC2 Image Builder"},
			true, true,
		},
		"deprecated, then disabled": {
			func(a *ingot.AMI) { a.Deprecate(since); a.Disable() }, "disabled", map[string]string{"team": "web"}, false, false,
		},
		"disabled, then deprecated": {
			func(a *ingot.AMI) { a.Disable(); a.Deprecate(since) },
			"deprecated",
			map[string]string{"team": "web", "DeprecatedBy": "EC2 Image Builder"},
			true, false,
		},
		"disabled, then enabled": {func(a *ingot.AMI) { a.Disable(); a.Enable() }, "available", map[string]string{"team": "web"}, true, false},
		"a model for others": {
			func(a *ingot.AMI) { a.Disable(); a.Launched = since; *a = a.Fresh() }, "available", map[string]string{"team": "web"}, true, false,
		},
	} {
		a := fresh()
		c.change(a)
		if a.State() != c.state || (a.CheckLaunch() == nil) != c.launches || a.UsableBy(friend) != c.shared || !a.UsableBy(owner) || a.UsableBy(stranger) {
			t.Errorf("%s: %+v is %s", name, a, a.State())
		}
		if diff := cmp.Diff(c.tags, a.Tags); diff != "" {
			t.Errorf("%s: tags (-want +got):\n%s", name, diff)
		}
	}
	gone := ingot.AMI{Scope: ingot.Scope{Account: owner}, Deregistered: true}
	if gone.UsableBy(owner) || gone.State() != "deregistered" {
		t.Errorf("one that is deregistered is %s, and usable: %t", gone.State(), gone.UsableBy(owner))
	}
}
