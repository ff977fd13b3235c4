package iam_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/api/iam"
)

// whole is a policy with every element, as it stands in a document.
const whole = `{"Version": "2012-10-17", "Id": "shared parts", "Statement": [
	{"Sid": "One", "Effect": "Allow", "Principal": {"AWS": ["111111111111", "arn:aws:iam::222222222222:root"], "Service": "ec2.amazonaws.com"},
	 "NotAction": ["imagebuilder:Delete*", "iam:*"], "NotResource": "arn:aws:imagebuilder:*:*:image/${aws:username, 'x'}/*",
	 "Condition": {"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a*", 1, true]}, "Null": {"aws:username": false}}},
	{"Sid": "Two", "Effect": "Deny", "NotPrincipal": "*", "Action": "*", "Resource": "*"}]}`

// inside is a policy whose one statement has these members beside its effect.
func inside(members string) string { return `{"Statement": {"Effect": "Allow", ` + members + `}}` }

const anything = `"Action": "*", "Resource": "*"`

func TestParseFaults(t *testing.T) {
	condition := func(c string) string { return inside(anything + `, "Condition": ` + c) }
	value := func(operator, v string) string { return condition(`{"` + operator + `": {"test:x": ` + v + `}}`) }
	since2012 := func(members string) string {
		return strings.Replace(inside(members), "{", `{"Version": "2012-10-17", `, 1)
	}
	for _, c := range []struct{ name, document, path string }{
		{"empty", ``, ""},
		{"no JSON", `Statement: []`, ""},
		{"cut off", whole[:len(whole)-1], ""},
		{"two documents", inside(anything) + inside(anything), ""},
		{"a comma at the end", `{"Statement": [],}`, ""},
		{"not UTF-8", "{\"Id\": \"\xff\"}", ""},
		{"a list", `[]`, ""},
		{"no statement", `{}`, ""},
		{"no statements", `{"Statement": []}`, "Statement"},
		{"statement of a wrong type", `{"Statement": "*"}`, "Statement"},
		{"statement null", `{"Statement": null}`, "Statement"},
		{"statements of a wrong type", `{"Statement": [1]}`, "Statement[0]"},
		{"too many statements", document(strings.Split(strings.Repeat("{},", 201), ",")[:201]), "Statement"},
		{"too deep", strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), "a.a.a.a.a.a.a"},
		{"too deep in lists", strings.Repeat(`[`, 9000), "[0][0][0][0][0][0][0]"},
		{"unknown element", `{"Statements": [], "Statement": ` + st("Allow", anything) + `}`, "Statements"},
		{"unknown element of a statement", inside(anything + `, "effect": "Allow"`), "Statement.effect"},
		{"an element twice", inside(anything + `, "Effect": "Deny"`), "Statement.Effect"},
		{"a key twice", condition(`{"Bool": {"a:b": true, "a:b": false}}`), "Statement.Condition.Bool.a:b"},
		{"unknown version", `{"Version": "2025-01-01", "Statement": ` + st("Allow", anything) + `}`, "Version"},
		{"version of a wrong type", `{"Version": 2012, "Statement": ` + st("Allow", anything) + `}`, "Version"},
		{"an Id", `{"Id": "x", "Statement": ` + st("Allow", anything) + `}`, "Id"},
		{"no effect", `{"Statement": {` + anything + `}}`, "Statement"},
		{"unknown effect", `{"Statement": [` + st("allow", anything) + `]}`, "Statement[0].Effect"},
		{"effect of a wrong type", `{"Statement": {"Effect": true, ` + anything + `}}`, "Statement.Effect"},
		{"no action", inside(`"Resource": "*"`), "Statement"},
		{"no resource", inside(`"Action": "*"`), "Statement"},
		{"two actions", inside(anything + `, "NotAction": "ec2:*"`), "Statement.NotAction"},
		{"two resources", inside(anything + `, "NotResource": "*"`), "Statement.NotResource"},
		{"no actions", inside(`"Action": [], "Resource": "*"`), "Statement.Action"},
		{"action of a wrong type", inside(`"Action": ["*", 1], "Resource": "*"`), "Statement.Action[1]"},
		{"action without a service", inside(`"Action": "GetImage", "Resource": "*"`), "Statement.Action"},
		{"action of any service", inside(`"Action": "*:GetImage", "Resource": "*"`), "Statement.Action"},
		{"action without a name", inside(`"Action": "imagebuilder:", "Resource": "*"`), "Statement.Action"},
		{"action with a variable", inside(`"Action": "imagebuilder:${a:b}", "Resource": "*"`), "Statement.Action"},
		{"too many actions", inside(`"Action": ["*"` + strings.Repeat(`,"*"`, 500) + `], "Resource": "*"`), "Statement.Action"},
		{"resource that is no ARN", inside(`"Action": "*", "Resource": "component/*"`), "Statement.Resource"},
		{"resource of any service", inside(`"Action": "*", "Resource": ["*", "arn:aws:*:*:*:*"]`), "Statement.Resource[1]"},
		{"resource with an early variable", since2012(`"Action": "*", "Resource": "arn:aws:imagebuilder:*:${aws:PrincipalAccount}:*"`), "Statement.Resource"},
		{"resource that is too long", inside(`"Action": "*", "Resource": "arn:aws:s3:::` + strings.Repeat("b", 1024) + `"`), "Statement.Resource"},
		{"value that is too long", value("StringLike", `"`+strings.Repeat("b", 1025)+`"`), "Statement.Condition.StringLike.test:x"},
		{"variable without an end", since2012(`"Action": "*", "Resource": "arn:aws:s3:::${aws:username"`), "Statement.Resource"},
		{"variable without a name", since2012(`"Action": "*", "Resource": "arn:aws:s3:::${}"`), "Statement.Resource"},
		{"variable without a prefix", since2012(`"Action": "*", "Resource": "arn:aws:s3:::${username}"`), "Statement.Resource"},
		{"default without quotes", since2012(`"Action": "*", "Resource": "arn:aws:s3:::${aws:username, x}"`), "Statement.Resource"},
		{"principal of an identity policy", inside(anything + `, "Principal": "*"`), "Statement.Principal"},
		{"excluded principal of an identity policy", inside(anything + `, "NotPrincipal": "*"`), "Statement.NotPrincipal"},
		{"Sid of a wrong type", inside(anything + `, "Sid": 1`), "Statement.Sid"},
		{"Sid with a space", inside(anything + `, "Sid": "a b"`), "Statement.Sid"},
		{"Sid twice", document([]string{st("Allow", `"Sid": "a", `+anything), st("Deny", `"Sid": "a", `+anything)}), "Statement[1].Sid"},
		{"condition of a wrong type", condition(`[]`), "Statement.Condition"},
		{"unknown operator", condition(`{"StringMatches": {}}`), "Statement.Condition.StringMatches"},
		{"operator in lower case", condition(`{"stringEquals": {}}`), "Statement.Condition.stringEquals"},
		{"Null with IfExists", condition(`{"NullIfExists": {}}`), "Statement.Condition.NullIfExists"},
		{"Null of a set", condition(`{"ForAllValues:Null": {}}`), "Statement.Condition.ForAllValues:Null"},
		{"two quantifiers", condition(`{"ForAnyValue:ForAllValues:Bool": {}}`), "Statement.Condition.ForAnyValue:ForAllValues:Bool"},
		{"operator of a wrong type", condition(`{"Bool": true}`), "Statement.Condition.Bool"},
		{"key without a prefix", condition(`{"Bool": {"x": true}}`), "Statement.Condition.Bool.x"},
		{"no values", value("StringEquals", `[]`), "Statement.Condition.StringEquals.test:x"},
		{"value of a wrong type", value("StringEquals", `["a", null]`), "Statement.Condition.StringEquals.test:x[1]"},
		{"value that is no number", value("NumericLessThan", `"ten"`), "Statement.Condition.NumericLessThan.test:x"},
		{"number without an end", value("NumericLessThan", `1e999999999`), "Statement.Condition.NumericLessThan.test:x"},
		{"value that is no date", value("DateLessThan", `"tomorrow"`), "Statement.Condition.DateLessThan.test:x"},
		{"value that is no boolean", value("Bool", `"yes"`), "Statement.Condition.Bool.test:x"},
		{"value of Null that is no boolean", value("Null", `1`), "Statement.Condition.Null.test:x"},
		{"value that is no base64", value("BinaryEquals", `"?"`), "Statement.Condition.BinaryEquals.test:x"},
		{"value that is no address", value("IpAddress", `"10.0.0.0/33"`), "Statement.Condition.IpAddress.test:x"},
		{"value that is no ARN", value("ArnLike", `"*"`), "Statement.Condition.ArnLike.test:x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := iam.ParseIdentity(c.document)
			checkFault(t, err, c.path)
		})
	}
	long := inside(`"Action": "*", "Resource": "arn:aws:s3:::` + strings.Repeat("b", iam.MaxIdentityPolicy) + `"`)
	_, err := iam.ParseIdentity(long)
	checkFault(t, err, "")
	if _, err := iam.ParseIdentity(inside(anything) + strings.Repeat(" ", iam.MaxIdentityPolicy)); err != nil {
		t.Errorf("white space is counted: %v", err)
	}
}

func checkFault(t *testing.T, err error, path string) {
	t.Helper()
	var faults iam.Faults
	if !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("got %v, want Faults", err)
	}
	if faults[0].Path != path {
		t.Errorf("the first fault is at %q, want %q: %s", faults[0].Path, path, faults[0].Rule)
	}
}

func TestParseResourceFaults(t *testing.T) {
	for _, c := range []struct{ name, principal, path string }{
		{"none", `"Sid": "a"`, "Statement"},
		{"both", `"Principal": "*", "NotPrincipal": "*"`, "Statement.NotPrincipal"},
		{"a string", `"Principal": "111111111111"`, "Statement.Principal"},
		{"empty", `"Principal": {}`, "Statement.Principal"},
		{"unknown type", `"Principal": {"Google": "*"}`, "Statement.Principal.Google"},
		{"empty list", `"Principal": {"AWS": []}`, "Statement.Principal.AWS"},
		{"wrong type", `"Principal": {"AWS": 111111111111}`, "Statement.Principal.AWS"},
		{"account of eleven digits", `"Principal": {"AWS": "11111111111"}`, "Statement.Principal.AWS"},
		{"wildcard in an ARN", `"Principal": {"AWS": ["111111111111", "arn:aws:iam::111111111111:user/*"]}`, "Statement.Principal.AWS[1]"},
		{"wildcard for an account", `"Principal": {"AWS": "arn:aws:iam::*:root"}`, "Statement.Principal.AWS"},
		{"wildcard for a session", `"Principal": {"AWS": "arn:aws:sts::111111111111:assumed-role/build/*"}`, "Statement.Principal.AWS"},
		{"session without a name", `"Principal": {"AWS": "arn:aws:sts::111111111111:assumed-role/build"}`, "Statement.Principal.AWS"},
		{"a group", `"Principal": {"AWS": "arn:aws:iam::111111111111:group/g"}`, "Statement.Principal.AWS"},
		{"another service's ARN", `"Principal": {"AWS": "arn:aws:s3:::b"}`, "Statement.Principal.AWS"},
		{"any service", `"Principal": {"Service": "*"}`, "Statement.Principal.Service"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := iam.ParseResource(inside(anything + ", " + c.principal))
			checkFault(t, err, c.path)
		})
	}
	_, err := iam.ParseResource(`{"Id": "` + strings.Repeat("å", iam.MaxResourcePolicy) + `", "Statement": []}`)
	checkFault(t, err, "")
}

func TestAllFaultsAreNamed(t *testing.T) {
	_, err := iam.ParseIdentity(`{"Statement": [{"Effect": "No", "Action": "x", "Resource": "y"}, {"Efect": "Allow"}]}`)
	var faults iam.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v, want Faults", err)
	}
	var paths []string
	for _, f := range faults {
		paths = append(paths, f.Path)
	}
	want := []string{
		"Statement[0].Effect", "Statement[0].Action", "Statement[0].Resource",
		"Statement[1].Efect", "Statement[1]", "Statement[1]", "Statement[1]",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("paths (-want +got):\n%s\n%v", diff, err)
	}
	_, err = iam.ParseIdentity(document(strings.Split(strings.Repeat("{},", 100), ",")[:100]))
	if errors.As(err, &faults); len(faults) != 20 {
		t.Errorf("%d faults, want the first 20", len(faults))
	}
}

func TestParse(t *testing.T) {
	p := resourcePolicy(t, whole)
	got := fmt.Sprintf("%s %s %s/%s %s/%s", p.Version, p.ID, p.Statements[0].Sid, p.Statements[0].Effect, p.Statements[1].Sid, p.Statements[1].Effect)
	if want := "2012-10-17 shared parts One/Allow Two/Deny"; got != want {
		t.Errorf("ParseResource = %s, want %s", got, want)
	}
	if got := identityPolicy(t, inside(anything)).Version; got != "2008-10-17" {
		t.Errorf("a policy without a version has %s", got)
	}
}

func TestAccounts(t *testing.T) {
	for _, c := range []struct {
		statements []string
		want       []string
	}{
		{[]string{}, nil},
		{[]string{grant(`"Principal": {"AWS": ["` + theirs + `", "` + ann + `", "` + root + `"]}`)}, []string{mine, theirs}},
		{[]string{grant(`"Principal": "*"`), grant(`"Principal": {"AWS": "` + mine + `"}`)}, []string{"*", mine}},
		{[]string{refuse(`"Principal": {"AWS": "` + mine + `"}`)}, nil},
		{[]string{grant(`"NotPrincipal": {"AWS": "` + mine + `"}`)}, []string{"*"}},
	} {
		if diff := cmp.Diff(c.want, resourcePolicy(t, document(c.statements)).Accounts()); diff != "" {
			t.Errorf("Accounts() of %s (-want +got):\n%s", c.statements, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add(inside(anything))
	f.Add(document([]string{grant(`"NotPrincipal": {"AWS": "` + session + `"}`)}))
	for _, c := range []string{`{"NumericEquals": {"a:b": 1.5}}`, `{"DateLessThan": {"a:b": "2030-01-01T00:00Z"}}`, `{"IpAddress": {"a:b": "::/0"}}`, `{"ArnLike": {"a:b": "arn:aws:s3:::${a:c}"}}`, `{"BinaryEquals": {"a:b": "AA=="}}`} {
		f.Add(inside(anything + `, "Condition": ` + c))
	}
	p := principal(f, session)
	f.Fuzz(func(t *testing.T, text string) {
		identity, err := iam.ParseIdentity(text)
		checkParsed(t, text, identity, err)
		resource, err := iam.ParseResource(text)
		checkParsed(t, text, resource, err)
		r := iam.Request{Subject: iam.NewSubject(p, nil), Action: "imagebuilder:GetImage", Resource: nginx, Policy: resource, Keys: x("1", "2")}
		if identity != nil {
			r.Subject = iam.NewSubject(p, nil, identity)
		}
		if got := r.Evaluate(); got < iam.NoIdentityAllow || got > iam.Allowed {
			t.Errorf("Evaluate() = %d", got)
		}
	})
}

// checkParsed holds for every text: either a policy, from valid JSON, or faults.
func checkParsed(t *testing.T, text string, p *iam.Policy, err error) {
	t.Helper()
	var faults iam.Faults
	switch {
	case (p == nil) != (err != nil):
		t.Errorf("got policy %v and error %v", p, err)
	case err == nil && !json.Valid([]byte(text)):
		t.Errorf("%q is no JSON and was accepted", text)
	case err != nil && (!errors.As(err, &faults) || len(faults) == 0):
		t.Errorf("error %v has no faults", err)
	}
}
