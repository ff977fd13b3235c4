package api

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func routeOf(t testing.TB, operation string) model.Route {
	t.Helper()
	for _, r := range model.Routes {
		if r.Operation == operation {
			return r
		}
	}
	t.Fatalf("no operation %s", operation)
	return model.Route{}
}

// FuzzBody checks that no body does worse than be refused, and that what is
// accepted fits the Go type and comes out of it unchanged.
func FuzzBody(f *testing.F) {
	f.Add(`{"name":"demo","semanticVersion":"1.0.x","parentImage":"ami-1","tags":{},"components":[{"componentArn":"arn"}]}`)
	f.Add(`{"name":"demo","semanticVersion":"1.0.0","parentImage":"ssm:x","blockDeviceMappings":[{"noDevice":"","ebs":{"iops":100,"encrypted":false}}]}`)
	f.Add(`{"name":null,"amiTags":{"a":null},"dryRun":1}`)
	f.Add(`[[[[`)
	route := routeOf(f, "CreateImageRecipe")
	f.Fuzz(func(t *testing.T, body string) {
		in, err := decode(route, httptest.NewRequest("PUT", route.Path, nil), "", []byte(body))
		if err != nil {
			return
		}
		if err := validate(route.Input, in); err != nil {
			if ingot.ErrorCode(err) == ingot.CodeInternal {
				t.Errorf("validate = %v without a code", err)
			}
			return
		}
		var typed model.CreateImageRecipeRequest
		if err := remarshal(in, &typed); err != nil {
			t.Fatalf("valid members do not fit the type: %v", err)
		}
		var again, members map[string]any
		if err := remarshal(typed, &again); err != nil {
			t.Fatal(err)
		}
		if err := remarshal(in, &members); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(members, again); diff != "" {
			t.Errorf("the type loses members (-sent +kept):\n%s", diff)
		}
	})
}

func TestDecodeQuery(t *testing.T) {
	for target, c := range map[string]struct {
		operation, method, label string
		want                     map[string]any
	}{
		"/GetComponent?componentBuildVersionArn=arn%3Aaws%2Fx&X-Amz-Date=1": {
			"GetComponent", "GET", "", map[string]any{"componentBuildVersionArn": "arn:aws/x"},
		},
		"/tags/x?tagKeys=a&tagKeys=b%20c": {
			"UntagResource", "DELETE", "arn%3Aaws%2Fx", map[string]any{"resourceArn": "arn:aws/x", "tagKeys": []any{"a", "b c"}},
		},
		"/tags/y": {"ListTagsForResource", "GET", "arn:aws/x", map[string]any{"resourceArn": "arn:aws/x"}},
	} {
		got, err := decode(routeOf(t, c.operation), httptest.NewRequest(c.method, target, nil), c.label, nil)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
	}
}

// TestExceptions checks that every code has a name and status on the wire.
func TestExceptions(t *testing.T) {
	for code, exception := range exceptions {
		if model.Exceptions[exception] == 0 {
			t.Errorf("%s: the model has no status for %s", code, exception)
		}
	}
}
