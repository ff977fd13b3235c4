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
