package iam_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api/iam"
)

// share is a statement that ParseSharing accepts, but for what is replaced.
func share(replacements ...string) string {
	return `{"Version": "2012-10-17", "Statement": [` + strings.NewReplacer(replacements...).Replace(granted("222222222222")) + `]}`
}

func granted(account string) string {
	return `{"Effect": "Allow", "Principal": {"AWS": ["` + account + `"]}, "Action": ["imagebuilder:GetComponent", "imagebuilder:ListComponents"], "Resource": "` + nginx + `"}`
}

func target(t *testing.T, text string) ingot.ARN {
	t.Helper()
	arn, err := ingot.ParseARN(text)
	if err != nil {
		t.Fatal(err)
	}
	return arn
}

func TestSharingAccepts(t *testing.T) {
	const accounts = `["222222222222"]`
	everyone := func(condition string) string {
		return share(`{"AWS": ["222222222222"]}`, `"*", "Condition": `+condition)
	}
	for name, document := range map[string]string{
		"an account":                      share(),
		"the root of an account":          share("222222222222", "arn:aws:iam::222222222222:root"),
		"several accounts":                share(accounts, `["222222222222", "333333333333"]`),
		"one account without a list":      share(accounts, `"222222222222"`),
		"one action":                      share(`, "imagebuilder:ListComponents"`, ""),
		"one action without a list":       share(`["imagebuilder:GetComponent", "imagebuilder:ListComponents"]`, `"imagebuilder:GetComponent"`),
		"a list of one resource":          share(`"Resource": "`+nginx+`"`, `"Resource": ["`+nginx+`"]`),
		"an organization":                 everyone(`{"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}`),
		"an organization, as AWS *":       share(accounts, `"*"`, `"Effect"`, `"Condition": {"StringEquals": {"aws:PrincipalOrgId": ["o-abcdefghij"]}}, "Effect"`),
		"no statement: the sharing ends":  `{"Version": "2012-10-17", "Statement": []}`,
		"a policy with Id and Sid":        strings.Replace(share(`"Effect"`, `"Sid": "share it", "Effect"`), `"Statement"`, `"Id": "x", "Statement"`, 1),
		"a policy of the greatest length": share() + strings.Repeat(" ", iam.MaxResourcePolicy-len(share())),
		"a policy of the older version":   strings.Replace(share(), "2012", "2008", 1),
		"a policy without a version":      strings.Replace(share(), `"Version": "2012-10-17", `, "", 1),
		"two statements":                  `{"Statement": [` + granted("222222222222") + `, ` + granted("333333333333") + `]}`,
	} {
		if _, err := iam.ParseSharing(document, target(t, nginx)); err != nil {
			t.Errorf("%s: %v\n%s", name, err, document)
		}
	}
}

func TestSharingOfKinds(t *testing.T) {
	for kind, c := range map[string]struct{ arn, action string }{
		"component":        {nginx, "ListComponents"},
		"image":            {"arn:aws:imagebuilder:eu-north-1:111111111111:image/web/1.0.0/1", "GetImage"},
		"image recipe":     {"arn:aws:imagebuilder:eu-north-1:111111111111:image-recipe/web/1.0.0", "ListImageRecipes"},
		"container recipe": {"arn:aws:imagebuilder:eu-north-1:111111111111:container-recipe/web/1.0.0", "GetContainerRecipe"},
		"another action":   {"arn:aws:imagebuilder:eu-north-1:111111111111:image/web/1.0.0/1", "GetComponent"},
		"a pipeline":       {"arn:aws:imagebuilder:eu-north-1:111111111111:image-pipeline/web", "GetImagePipeline"},
	} {
		document := share(nginx, c.arn, `["imagebuilder:GetComponent", "imagebuilder:ListComponents"]`, fmt.Sprintf("%q", "imagebuilder:"+c.action))
		_, err := iam.ParseSharing(document, target(t, c.arn))
		if accepted := kind != "another action" && kind != "a pipeline"; (err == nil) != accepted {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestSharingFaults(t *testing.T) {
	const accounts = `["222222222222"]`
	const everyone = `"aws:PrincipalOrgID": "o-abcdefghij"`
	toAll := func(condition string) string {
		return share(`{"AWS": ["222222222222"]}`, `"*", "Condition": `+condition)
	}
	for _, c := range []struct{ rule, document, path string }{
		{"not empty", "", "1 to 30000 characters"},
		{"at most 30 000 characters", share() + strings.Repeat(" ", iam.MaxResourcePolicy), "1 to 30000 characters"},
		{"JSON", "{", "it is not JSON"},
		{"a policy", `{}`, "Statement is missing"},
		{"Statement is a list", `{"Statement": ` + st("Allow", `"Principal": {"AWS": "222222222222"}, "Action": "imagebuilder:GetComponent", "Resource": "`+nginx+`"`) + `}`, "Statement:"},
		{"no other members", share(`"Effect"`, `"Effects": 1, "Effect"`), "Statement[0].Effects:"},
		{"Effect is Allow", share("Allow", "Deny"), "Statement[0].Effect:"},
		{"Principal is there", share(`"Principal": {"AWS": ["222222222222"]}, `, ""), "Statement[0]:"},
		{"no NotPrincipal", share("Principal", "NotPrincipal"), "Statement[0].NotPrincipal:"},
		{"no NotAction", share(`"Action"`, `"NotAction"`), "Statement[0].NotAction:"},
		{"no NotResource", share(`"Resource"`, `"NotResource"`), "Statement[0].NotResource:"},
		{"no users", share("222222222222", bob), "Statement[0].Principal.AWS[0]:"},
		{"no roles", share(`"222222222222"`, `"222222222222", "`+role+`"`), "Statement[0].Principal.AWS[1]:"},
		{"no services", share(`"AWS"`, `"Service": "ec2.amazonaws.com", "AWS"`), "Statement[0].Principal.Service:"},
		{"accounts have twelve digits", share("222222222222", "22222222222"), "Statement[0].Principal.AWS[0]:"},
		{"accounts of this partition", share("222222222222", "arn:aws-cn:iam::222222222222:root"), "Statement[0].Principal.AWS[0]:"},
		{"everyone needs an organization", share(`{"AWS": ["222222222222"]}`, `"*"`), "Statement[0].Principal:"},
		{"AWS * needs an organization", share(accounts, `["222222222222", "*"]`), "Statement[0].Principal.AWS[1]:"},
		{"everyone needs an organization, not another key", toAll(`{"StringEquals": {"aws:PrincipalAccount": "222222222222"}}`), "Statement[0].Principal:"},
		{"everyone needs the key to be there", toAll(`{"StringEqualsIfExists": {` + everyone + `}}`), "Statement[0].Principal:"},
		{"everyone needs to be in the organization", toAll(`{"StringNotEquals": {` + everyone + `}}`), "Statement[0].Principal:"},
		{"an organization is no wildcard", toAll(`{"StringEquals": {"aws:PrincipalOrgID": ["o-abcdefghij", "*"]}}`), "Statement[0].Principal:"},
		{"only the pair of the kind", share("GetComponent", "GetImage"), "Statement[0].Action[0]:"},
		{"no changes", share("GetComponent", "DeleteComponent"), "Statement[0].Action[0]:"},
		{"no wildcards in actions", share("GetComponent", "Get*"), "Statement[0].Action[0]:"},
		{"not every action", share(`["imagebuilder:GetComponent", "imagebuilder:ListComponents"]`, `"*"`), "Statement[0].Action:"},
		{"no actions of other services", share("imagebuilder:Get", "ec2:Get"), "Statement[0].Action[0]:"},
		{"Resource is the target", share("nginx/1.0.0/1", "nginx/1.0.0/2"), "Statement[0].Resource:"},
		{"Resource is no wildcard", share("nginx/1.0.0/1", "nginx/1.0.0/*"), "Statement[0].Resource:"},
		{"Resource is not every one", share(nginx, "*"), "Statement[0].Resource:"},
		{"Resource is only the target", share(`"`+nginx+`"`, `["`+nginx+`", "`+shared+`"]`), "Statement[0].Resource[1]:"},
		{"no condition beside accounts", share(`"Effect"`, `"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, "Effect"`), "Statement[0].Condition:"},
		{"Condition is one", toAll(`{"StringEqual": {}}`), "Statement[0].Condition.StringEqual:"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, err := iam.ParseSharing(c.document, target(t, nginx))
			var e *ingot.Error
			if !errors.As(err, &e) || e.Code != ingot.CodeInvalid || e.Field != "policy" {
				t.Fatalf("got %v, want CodeInvalid of policy", err)
			}
			if !strings.Contains(e.Message, c.path) {
				t.Errorf("got %q, want it to name %q", e.Message, c.path)
			}
		})
	}
}

// What is accepted does what it says.
func TestSharingGrants(t *testing.T) {
	policy, err := iam.ParseSharing(share(), target(t, nginx))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		as, action string
		want       iam.Decision
	}{
		{bob, "imagebuilder:GetComponent", iam.Allowed},
		{bob, "imagebuilder:DeleteComponent", iam.NoResourceAllow},
		{"arn:aws:iam::333333333333:user/eve", "imagebuilder:GetComponent", iam.NoResourceAllow},
	} {
		r := iam.Request{Subject: iam.NewSubject(principal(t, c.as), nil), Action: c.action, Resource: nginx, Owner: mine, Policy: policy}
		if got := r.Evaluate(); got != c.want {
			t.Errorf("%s by %s: %v, want %v", c.action, c.as, got, c.want)
		}
	}
}
