package build

import (
	"strings"
	"testing"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

const ownerAccount = "444455556666"

// TestSharedParts builds from a component and a parent image of another
// account, which are found as long as their owner shares them.
func TestSharedParts(t *testing.T) {
	l, _ := fakeLab(t)
	theirs := func(tail string) ingot.ARN {
		arn := l.arn(tail)
		arn.Account = ownerAccount
		return arn
	}
	component, parent := theirs("component/echo/1.0.0/1"), theirs("image/base/1.0.0/1")
	ami, err := l.db.FindAMI(t.Context(), l.arn("image/x/1.0.0/1").Scope(), "ami-0123456789abcdef0")
	l.check(err)
	ami.ID, ami.Account = "ami-0fedcba9876543210", ownerAccount
	l.check(l.db.RegisterAMI(t.Context(), ami))
	l.put(ingot.Record{ARN: component, Name: "echo", Status: "ACTIVE"}, model.Component{
		Arn: component.String(), Name: "echo", Data: echoDocument, Platform: model.PlatformLinux,
	})
	l.put(ingot.Record{ARN: parent, Name: "base", Status: string(model.ImageStatusAvailable)}, model.Image{
		Arn: parent.String(), Name: "base", Type: model.ImageTypeAmi, State: &model.ImageState{Status: model.ImageStatusAvailable},
		OutputResources: &model.OutputResources{Amis: []model.Ami{{Region: labRegion, Image: ami.ID, AccountId: ownerAccount}}},
	})
	fromParent := func(i *model.Image) { i.ImageRecipe.ParentImage = theirs("image/base/x.x.x").String() }
	share := func(arn ingot.ARN, accounts ...string) {
		t.Helper()
		l.check(l.db.Write(t.Context(), func(tx ingot.Tx) error {
			return ingot.PutPolicy(t.Context(), tx, arn, ingot.ResourcePolicy{Shares: map[ingot.Share][]string{ingot.ShareGet: accounts}})
		}))
	}
	build := func(name string, missing ingot.ARN) {
		t.Helper()
		image := l.build(l.image(name, fromParent, component.String()))
		if missing.Name == "" {
			l.wantStatus(image, model.ImageStatusAvailable)
			return
		}
		l.wantStatus(image, model.ImageStatusFailed)
		if !strings.Contains(image.State.Reason, missing.Name) || !strings.Contains(image.State.Reason, "does not exist") {
			t.Errorf("%s: the reason is %q, want it to name %s", name, image.State.Reason, missing)
		}
	}
	build("nothing-shared", parent)
	share(parent, labAccount)
	build("only-parent", component)
	share(component, labAccount)
	build("both", ingot.ARN{})
	share(component)
	build("taken-back", component)
}
