package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/admin"
)

func TestPrintPipelines(t *testing.T) {
	list := []admin.Pipeline{
		{ARN: "arn:aws:imagebuilder:us-east-1:000000000000:image-pipeline/nightly", Name: "nightly", Status: "ENABLED", Schedule: "rate(1 day)"},
		{ARN: "arn:aws:imagebuilder:eu-west-1:111122223333:image-pipeline/web", Name: "web", Status: "DISABLED"},
	}
	for _, c := range []struct {
		accounts, regions bool
		want              string
	}{
		{false, false, "NAME     STATUS    SCHEDULE     LAST RUN  RESULT  NEXT RUN\n" +
			"nightly  ENABLED   rate(1 day)  -         -       -\n" +
			"web      DISABLED  -            -         -       -\n"},
		{true, true, "ACCOUNT       REGION     NAME     STATUS    SCHEDULE     LAST RUN  RESULT  NEXT RUN\n" +
			"000000000000  us-east-1  nightly  ENABLED   rate(1 day)  -         -       -\n" +
			"111122223333  eu-west-1  web      DISABLED  -            -         -       -\n"},
	} {
		var out bytes.Buffer
		a := &app{stdout: &out}
		if err := a.printPipelines(list, c.accounts, c.regions); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, out.String()); diff != "" {
			t.Errorf("accounts %t, regions %t (-want +got):\n%s", c.accounts, c.regions, diff)
		}
	}
}
