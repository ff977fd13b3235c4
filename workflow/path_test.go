package workflow_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ingot.dev/ingot/workflow"
)

func TestParsePath(t *testing.T) {
	got, err := workflow.ParsePath("$.stepOutputs.Say.output[12].Ebs")
	want := workflow.Path{{Name: "stepOutputs"}, {Name: "Say"}, {Name: "output"}, {Index: 12}, {Name: "Ebs"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("ParsePath: %v (-want +got):\n%s", err, diff)
	}
	for _, text := range []string{"", "$", "$.", "a.b", "$.a.", "$.a..b", "$.a[", "$.a[-1]", "$.a[x]", "$.a[9999999]", "$.a b", "$['a']", "$.a[?(@.b)]"} {
		if p, err := workflow.ParsePath(text); err == nil {
			t.Errorf("ParsePath(%q) = %v, want an error", text, p)
		}
	}
}

func TestPathInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.Custom(func(t *rapid.T) workflow.Part {
			if rapid.Bool().Draw(t, "position") {
				return workflow.Part{Index: rapid.IntRange(0, 1<<20).Draw(t, "index")}
			}
			return workflow.Part{Name: rapid.StringMatching(`[A-Za-z0-9_-]{1,9}`).Draw(t, "name")}
		})
		path := append(workflow.Path{{Name: "parameters"}}, rapid.SliceOfN(part, 0, 8).Draw(t, "parts")...)
		got, err := workflow.ParsePath(path.String())
		if diff := cmp.Diff(path, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", path, err, diff)
		}
	})
}

func TestInterpolations(t *testing.T) {
	got := workflow.Interpolations("{{ $.parameters.a }} {{$.imagebuilder.b}}\n{{imagebuilder:buildDate}} {{ x }} $.c")
	if diff := cmp.Diff([]string{"$.parameters.a", "$.imagebuilder.b"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
