package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
)

func parameters(t *testing.T, s ingot.Store) {
	ctx := t.Context()
	put := func(p ingot.Parameter) ingot.Parameter {
		t.Helper()
		stored, err := s.PutParameter(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		return stored
	}
	web := ingot.Parameter{Scope: scope, Name: "/golden/web", Value: "ami-1", DataType: ingot.ParameterText, Modified: noon}
	first := put(web)
	web.Value = "ami-2"
	second := put(web)
	if first.Version != 1 || second.Version != 2 || put(web).Version != 2 {
		t.Errorf("versions %d, %d, and the same value again %d; want 1, 2, 2", first.Version, second.Version, put(web).Version)
	}
	got, err := s.FindParameter(ctx, scope, "/golden/web")
	if diff := cmp.Diff(second, got); diff != "" || err != nil {
		t.Errorf("FindParameter (-want +got): %v\n%s", err, diff)
	}
	stranger := ingot.Scope{Account: "999999999999", Region: scope.Region}
	_, err = s.FindParameter(ctx, stranger, "/golden/web")
	wantCode(t, "FindParameter of another account", err, ingot.CodeNotFound)

	managed := ingot.Parameter{Scope: ingot.Scope{Account: ingot.ManagedAccount, Region: scope.Region}, Name: "/aws/base", Value: "ami-3", DataType: ingot.ParameterImage, Modified: noon}
	put(managed)
	if p, err := s.FindParameter(ctx, scope, "/aws/base"); err != nil || p.Value != "ami-3" {
		t.Errorf("FindParameter of the catalogue = %+v, %v", p, err)
	}
	put(ingot.Parameter{Scope: scope, Name: "/golden/app", Value: "ami-4", DataType: ingot.ParameterText, Modified: noon})
	list, err := s.ListParameters(ctx, scope, "", 1)
	if err != nil || len(list) != 1 || list[0].Name != "/golden/app" {
		t.Errorf("ListParameters = %v, %v; want the first by name", list, err)
	}
	if rest, err := s.ListParameters(ctx, scope, "/golden/app", 10); err != nil || len(rest) != 1 || rest[0].Name != "/golden/web" {
		t.Errorf("ListParameters after the first = %v, %v", rest, err)
	}
	wantCode(t, "DeleteParameter of another account", s.DeleteParameter(ctx, stranger, "/golden/web"), ingot.CodeNotFound)
	if err := s.DeleteParameter(ctx, scope, "/golden/web"); err != nil {
		t.Fatal(err)
	}
	_, err = s.FindParameter(ctx, scope, "/golden/web")
	wantCode(t, "FindParameter after DeleteParameter", err, ingot.CodeNotFound)
}
