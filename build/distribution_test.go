package build

import (
	"strings"
	"testing"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// TestG17DistributeImage: api.md, case G17.
func TestG17DistributeImage(t *testing.T) {
	l, d := fakeLab(t)
	c := l.arn("distribution-configuration/everywhere")
	l.put(ingot.Record{ARN: c, Name: "everywhere"}, model.DistributionConfiguration{
		Arn: c.String(), Name: "everywhere", Distributions: []model.Distribution{{Region: "eu-test-2"}},
	})
	demo := l.image("demo", nil)
	l.wantStatus(l.build(demo), model.ImageStatusAvailable)
	for source, want := range map[string]string{"ami-0123456789abcdef0": "image/base/1.0.0/1", demo.String(): "image/demo/1.0.0/2"} {
		var arn ingot.ARN
		l.check(l.db.Write(t.Context(), func(tx ingot.Tx) (err error) {
			if source == demo.String() { // the lab numbers its images itself
				if _, err := tx.NextBuild(t.Context(), demo.VersionARN()); err != nil {
					return err
				}
			}
			arn, err = ingot.DistributeImage(t.Context(), tx, l.db, l.arn("image/x/1.0.0/1").WithBuild(0), &model.DistributeImageRequest{
				SourceImage: source, DistributionConfigurationArn: c.String(), ExecutionRole: "arn:aws:iam::123456789012:role/r",
			}, time.Now())
			return err
		}))
		if !strings.HasSuffix(arn.String(), want) {
			t.Errorf("%s became %s, want %s", source, arn, want)
		}
		image := l.build(arn)
		l.wantStatus(image, model.ImageStatusAvailable)
		if len(image.OutputResources.Amis) != 2 || image.OutputResources.Amis[1].Region != "eu-test-2" {
			t.Errorf("%s has the AMIs %+v, want one in each region", arn, image.OutputResources.Amis)
		}
		if list, _, err := l.db.WorkflowExecutions(t.Context(), arn, "", 5); err != nil || len(list) != 0 {
			t.Errorf("%s ran %v (%v)", arn, list, err)
		}
	}
	l.wantClean(d, 1)
}

// TestG10ParameterWithoutRole: api.md, case G10. The service-linked role may
// write below /imagebuilder/, another role anywhere.
func TestG10ParameterWithoutRole(t *testing.T) {
	linked := "arn:aws:iam::123456789012:role/aws-service-role/imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder"
	for name, c := range map[string]struct {
		role, parameter string
		want            model.ImageStatus
	}{
		"no role":            {linked, "/other/x", model.ImageStatusFailed},
		"no role, its place": {linked, "/imagebuilder/x", model.ImageStatusAvailable},
		"a role":             {"arn:aws:iam::123456789012:role/writer", "/other/x", model.ImageStatusAvailable},
	} {
		t.Run(name, func(t *testing.T) {
			l, d := fakeLab(t)
			arn := l.image("demo", func(i *model.Image) {
				i.ExecutionRole = c.role
				i.DistributionConfiguration = &model.DistributionConfiguration{Distributions: []model.Distribution{{
					Region: labRegion, SsmParameterConfigurations: []model.SsmParameterConfiguration{{ParameterName: c.parameter}},
				}}}
			})
			image := l.build(arn)
			l.wantStatus(image, c.want)
			if len(image.OutputResources.Amis) != 1 || image.OutputResources.Amis[0].Image == "" {
				t.Errorf("the image lists %+v, want its AMI", image.OutputResources.Amis)
			}
			p, err := l.db.FindParameter(t.Context(), arn.Scope(), c.parameter)
			switch {
			case c.want == model.ImageStatusAvailable && (err != nil || p.Value != image.OutputResources.Amis[0].Image):
				t.Errorf("the parameter is %+v, %v; want the AMI", p, err)
			case c.want == model.ImageStatusFailed && ingot.ErrorCode(err) != ingot.CodeNotFound:
				t.Errorf("the parameter is %+v, %v; want none", p, err)
			case c.want == model.ImageStatusFailed && (!strings.Contains(image.State.Reason, "Integration failed") || !strings.Contains(image.State.Reason, "writing the parameter /other/x")):
				t.Errorf("the reason is %q, want the integration and the parameter in it", image.State.Reason)
			}
			l.wantClean(d, 1)
		})
	}
}
