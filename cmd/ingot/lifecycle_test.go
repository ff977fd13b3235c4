package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/admin"
)

func TestPrintPreview(t *testing.T) {
	const policy, image = "arn:aws:imagebuilder:us-east-1:111122223333:lifecycle-policy/tidy", "arn:aws:imagebuilder:us-east-1:111122223333:image/web/1.0.0/1"
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		in   admin.LifecyclePreview
		want string
	}{
		"nothing, disabled": {admin.LifecyclePreview{Policy: policy, Status: "DISABLED"}, "tidy would do nothing\ntidy is DISABLED: it does not run\n"},
		"rows": {
			admin.LifecyclePreview{Policy: policy, Status: "ENABLED", NextRun: at, Rows: []admin.LifecycleRow{
				{Resource: image, Action: "DELETE", Why: "2 newer ones are kept", State: "SKIPPED", Reason: "1 of its AMIs are excluded"},
				{Image: image, Resource: "ami-1", Region: "us-east-1", Action: "DELETE", State: "IN_PROGRESS"},
				{Image: image, Resource: "ami-2", Region: "us-west-2", Action: "DELETE", State: "SKIPPED", Reason: "a tag of the AMI excludes it"},
				{Image: image, Resource: "ami-3", Region: "us-west-2", Action: "DELETE", State: "FAILED", Reason: "no role"},
				{Image: image, Resource: "ami-4", Region: "us-west-2", Action: "DELETE", State: "SUCCESS"},
			}},
			"DELETE " + image + ": 2 newer ones are kept; it is kept: 1 of its AMIs are excluded\n" +
				"    DELETE ami-1 in us-east-1\n" +
				"    DELETE ami-2 in us-west-2; it is kept: a tag of the AMI excludes it\n" +
				"    DELETE ami-3 in us-west-2; it would fail: no role\n" +
				"    DELETE ami-4 in us-west-2: it is gone\n" +
				localTime(at) + "  next run\n",
		},
	} {
		var out bytes.Buffer
		(&app{stdout: &out}).printPreview(c.in)
		if diff := cmp.Diff(c.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
