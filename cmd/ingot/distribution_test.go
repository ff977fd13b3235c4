package main

import (
	"strings"
	"testing"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/internal/testenv"
	"ingot.dev/ingot/model"
)

// TestOtherAccounts delivers an image to accounts that take it and to some that
// do not: all others get theirs, and the failure names those. Source:
// distribution.md §8, DI-8.
func TestOtherAccounts(t *testing.T) {
	testenv.For(t, testenv.QEMU, testenv.Base)
	p := newProcess(t)
	p.start()
	p.importBase()
	const all, one, another, none = "111111111111", "222222222222", "333333333333", "444444444444"
	for account, role := range map[string][]string{
		all: {}, one: {"--tag", "trusts=999999999999 " + p.settings.Account}, another: {"--tag", "trusts=999999999999"}, none: nil,
	} {
		p.must("admin", "account", "create", account)
		if role != nil {
			p.must(append([]string{"admin", "role", "create", ingot.CrossAccountRole, "--account", account}, role...)...)
		}
	}
	var c model.CreateDistributionConfigurationResponse
	p.call("CreateDistributionConfiguration", model.CreateDistributionConfigurationRequest{
		Name: "accounts", ClientToken: "accounts",
		Distributions: []model.Distribution{{Region: p.settings.Region, AmiDistributionConfiguration: &model.AmiDistributionConfiguration{
			Name: "given {{imagebuilder:buildDate}}", TargetAccountIds: []string{all, one, another, none},
		}}},
	}, &c)
	var base string
	images, err := admin.Call[admin.None, []admin.Image](t.Context(), p.Admin, "image/list", admin.None{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range images {
		base = i.ID
	}
	var out model.DistributeImageResponse
	p.call("DistributeImage", model.DistributeImageRequest{
		SourceImage: base, DistributionConfigurationArn: c.DistributionConfigurationArn, ClientToken: "distribute",
		ExecutionRole: "arn:aws:iam::" + p.settings.Account + ":role/r",
	}, &out)
	image := p.await(out.ImageBuildVersionArn)
	f := image.State.FailureContext
	if image.State.Status != model.ImageStatusFailed || f == nil || f.DistributionFailure == nil {
		t.Fatalf("the image is %s: %s, %+v", image.State.Status, image.State.Reason, f)
	}
	failed := map[string]string{}
	for _, r := range f.DistributionFailure.RegionFailures {
		failed[r.AccountId] = r.ErrorMessage
	}
	if len(failed) != 2 || !strings.Contains(failed[another], ingot.CrossAccountRole) || !strings.Contains(failed[none], ingot.CrossAccountRole) {
		t.Errorf("the failures are %v, want those of %s and %s", failed, another, none)
	}
	delivered := map[string]bool{}
	for _, ami := range image.OutputResources.Amis {
		delivered[ami.AccountId] = ami.Image != "" && ami.State.Status == model.ImageStatusAvailable
	}
	for account, want := range map[string]bool{p.settings.Account: true, all: true, one: true, another: false, none: false} {
		if delivered[account] != want {
			t.Errorf("account %s has an AMI: %t, want %t", account, delivered[account], want)
		}
	}
	text := p.must("image", "list")
	for account, want := range map[string]bool{all: true, one: true, another: false, none: false} {
		if strings.Contains(text, account) != want {
			t.Errorf("`ingot image list` shows an AMI of %s: %t, want %t:\n%s", account, !want, want, text)
		}
	}
}

// must runs a command with the server's settings, and returns what it prints.
func (p *process) must(args ...string) string {
	p.t.Helper()
	out, err := p.ingot("", args...)
	if err != nil {
		p.t.Fatalf("ingot %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}
