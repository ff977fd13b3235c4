package ingot_test

import (
	"context"
	"strings"
	"testing"

	"ingot.dev/ingot"
)

// oneParameter is a ParameterStore that has /golden/web.
type oneParameter struct{ ingot.ParameterStore }

func (oneParameter) FindParameter(_ context.Context, scope ingot.Scope, name string) (ingot.Parameter, error) {
	if name != "/golden/web" {
		return ingot.Parameter{}, ingot.Errorf(ingot.CodeNotFound, "no %s", name)
	}
	return ingot.Parameter{Scope: scope, Name: name, Value: "ami-1"}, nil
}

func TestResolveParameter(t *testing.T) {
	scope := ingot.Scope{Account: "111122223333", Region: "us-east-1"}
	for _, test := range []struct {
		text string
		want ingot.Code
	}{
		{"ssm:/golden/web", ""},
		{"ssm:arn:aws:ssm:us-east-1:111122223333:parameter/golden/web", ""},
		{"ssm:arn:aws:ssm:us-east-1::parameter/golden/web", ""},
		{"ssm:/golden/app", ingot.CodeNotFound},
		{"ssm:arn:aws:ssm:eu-west-1:111122223333:parameter/golden/web", ingot.CodeNotFound},
		{"ssm:arn:aws:ssm:us-east-1:999999999999:parameter/golden/web", ingot.CodeNotFound},
		{"ssm:arn:aws:s3:us-east-1:111122223333:parameter/golden/web", ingot.CodeInvalid},
		{"ssm:arn:aws:ssm", ingot.CodeInvalid},
	} {
		p, err := ingot.ResolveParameter(t.Context(), oneParameter{}, scope, test.text)
		if got := ingot.ErrorCode(err); got != test.want {
			t.Errorf("ResolveParameter(%q): code %q (%v), want %q", test.text, got, err, test.want)
		}
		if err == nil && p.Value != "ami-1" {
			t.Errorf("ResolveParameter(%q) = %+v", test.text, p)
		}
	}
}

func TestCheckParameter(t *testing.T) {
	good := ingot.Parameter{Name: "/golden/web", Value: "ami-1", DataType: ingot.ParameterText}
	if err := ingot.CheckParameter(good); err != nil {
		t.Errorf("CheckParameter(%+v): %v", good, err)
	}
	for name, change := range map[string]func(*ingot.Parameter){
		"no name":         func(p *ingot.Parameter) { p.Name = "" },
		"blank in a name": func(p *ingot.Parameter) { p.Name = "a b" },
		"no value":        func(p *ingot.Parameter) { p.Value = "" },
		"long value":      func(p *ingot.Parameter) { p.Value = strings.Repeat("x", 4097) },
		"other type":      func(p *ingot.Parameter) { p.DataType = "number" },
	} {
		p := good
		change(&p)
		if ingot.ErrorCode(ingot.CheckParameter(p)) != ingot.CodeInvalid {
			t.Errorf("%s: CheckParameter(%+v) accepts it", name, p)
		}
	}
}
