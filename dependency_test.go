package ingot

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDependencyChanges(t *testing.T) {
	const own = "arn:aws:imagebuilder:us-east-1:111122223333:"
	base := Dependencies{
		Recipe:     own + "image-recipe/demo/1.0.0",
		Components: []string{own + "component/hello/1.0.0/1", own + "component/audit/2.0.0/1"},
		Parent:     own + "image/golden/1.0.0/4",
	}
	for name, test := range map[string]struct {
		change func(*Dependencies)
		want   []string
	}{
		"nothing": {func(*Dependencies) {}, nil},
		"recipe": {func(d *Dependencies) { d.Recipe = own + "image-recipe/demo/1.1.0" }, []string{
			"recipe " + own + "image-recipe/demo 1.0.0 -> 1.1.0",
		}},
		"another recipe": {func(d *Dependencies) { d.Recipe = own + "image-recipe/other/1.0.0" }, []string{
			"recipe " + own + "image-recipe/demo/1.0.0 -> " + own + "image-recipe/other/1.0.0",
		}},
		"component": {func(d *Dependencies) { d.Components[0] = own + "component/hello/1.0.1/1" }, []string{
			"component " + own + "component/hello 1.0.0/1 -> 1.0.1/1",
		}},
		"order alone": {func(d *Dependencies) { d.Components[0], d.Components[1] = d.Components[1], d.Components[0] }, nil},
		"in, out": {func(d *Dependencies) { d.Components[1] = own + "component/new/1.0.0/1" }, []string{
			"component " + own + "component/new/1.0.0/1 added", "component " + own + "component/audit/2.0.0/1 removed",
		}},
		"parent": {func(d *Dependencies) { d.Parent = own + "image/golden/1.0.0/5" }, []string{
			"parent image " + own + "image/golden 1.0.0/4 -> 1.0.0/5",
		}},
		"parameter": {func(d *Dependencies) { d.Parent = "ami-0123456789abcdef0" }, []string{
			"parent image " + own + "image/golden/1.0.0/4 -> ami-0123456789abcdef0",
		}},
	} {
		now := Dependencies{Recipe: base.Recipe, Components: append([]string{}, base.Components...), Parent: base.Parent}
		test.change(&now)
		if diff := cmp.Diff(test.want, base.Changes(now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
