package toe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseTemplate(t *testing.T) {
	tests := []struct {
		text    string
		refs    []string // bodies
		foreign []string
	}{
		{"plain", nil, nil},
		{"{{X1a}} and {{  X1a }}", []string{"X1a", "X1a"}, nil},
		{"{{ a.b.outputs.stdout }}", []string{"a.b.outputs.stdout"}, nil},
		{"{{ a.b.inputs[1].path }}", []string{"a.b.inputs[1].path"}, nil},
		{"{{ a.b.inputs[x].path }}", nil, []string{"a.b.inputs[x].path"}},
		{"{{ env:ProgramFiles(x86) }}", []string{"env:ProgramFiles(x86)"}, nil},
		{"{{ aws:ssm:/a/b }}{{ aws:ssm:resolve(Name) }}", []string{"aws:ssm:/a/b", "aws:ssm:resolve(Name)"}, nil},
		{"{{ aws:ssm:a b }}", nil, []string{"aws:ssm:a b"}},
		{"{{.State.Running}} {{ range . }} {{ \"a\" }} {{ }}", nil, []string{".State.Running", "range .", `"a"`, ""}},
		{"{{ unclosed", nil, nil},
		{"{{ not\non one line }}", nil, nil},
		{"{{ first {{ context:step }}", []string{"context:step"}, nil},
		{"{{{ docker }}} {{ Who }}", []string{"Who"}, nil},
		{"{{{ open {{ Who }}", []string{"Who"}, nil},
		{"{{ loop.value }}", []string{"loop.value"}, nil},
	}
	for _, test := range tests {
		template, foreign := parseTemplate(test.text)
		var refs []string
		for _, p := range template {
			if p.ref != nil {
				refs = append(refs, p.ref.body)
			}
		}
		if diff := cmp.Diff([][]string{test.refs, test.foreign}, [][]string{refs, foreign}); diff != "" {
			t.Errorf("parseTemplate(%q) references and foreign bodies (-want +got):\n%s", test.text, diff)
		}
	}
}

// The parts of a template are its text, whatever it is.
func FuzzParseTemplate(f *testing.F) {
	for _, seed := range []string{"", "{{", "}}", "{{{}}}", "a {{ b.c.outputs.d }} {{{ e }}} {{ f\n }}", "{{ env:}}}}", "{{ aws:imds:%69am }}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { wantWhole(t, text) })
}

func wantWhole(t interface{ Errorf(string, ...any) }, text string) {
	template, _ := parseTemplate(text)
	var b strings.Builder
	for i, p := range template {
		b.WriteString(p.text)
		if i > 0 && p.ref == nil && template[i-1].ref == nil {
			t.Errorf("parseTemplate(%q) splits literal text", text)
		}
	}
	if b.String() != text {
		t.Errorf("parseTemplate(%q) has the text %q", text, b.String())
	}
}

func TestTemplateOfBraces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wantWhole(t, rapid.StringOfN(rapid.SampledFrom([]rune("{{}} \nab.:[0]")), 0, 60, -1).Draw(t, "text"))
	})
}

func TestForbiddenMetadata(t *testing.T) { // C54
	tests := map[string]bool{
		"iam/info": true, "/IAM/../iam/x": true, "//iam": true, "%69am/x": true, "a/../Identity-Credentials/ec2": true,
		"placement/region": false, "instance-id": false, "iamx": false, "tags/iam": false,
	}
	for path, want := range tests {
		if got := forbiddenMetadata(path); got != want {
			t.Errorf("forbiddenMetadata(%q) = %v, want %v", path, got, want)
		}
	}
}
