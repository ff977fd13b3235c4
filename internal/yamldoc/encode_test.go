package yamldoc_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"ingot.dev/ingot/internal/yamldoc"
)

func TestEncode(t *testing.T) {
	const text = "b: 0750\na: 'true'\nlist:\n- |\n  one\n  two\n- {c: 1.10, d: null}\nempty: []\n"
	root, findings := yamldoc.Parse([]byte(text), 1<<20)
	if findings != nil {
		t.Fatal(findings)
	}
	asYAML, err := yaml.Dump(root)
	if err != nil {
		t.Fatal(err)
	}
	wantYAML := "b: 0750\na: 'true'\nlist:\n- |\n  one\n  two\n- c: 1.10\n  d: null\nempty: []\n"
	if diff := cmp.Diff(wantYAML, string(asYAML)); diff != "" {
		t.Errorf("YAML (-want +got):\n%s", diff)
	}
	asJSON, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	wantJSON := `{"b":"0750","a":"true","list":["one\ntwo\n",{"c":"1.10","d":null}],"empty":[]}`
	if diff := cmp.Diff(wantJSON, string(asJSON)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

// What is written reads as what was read.
func FuzzEncode(f *testing.F) {
	for _, seed := range []string{"a: [1, '2', null, |\n x\n]\n", "a: |\n  x\n  y\nb: >-\n  z\n", "'a: b': \" \\t\\n\\x41\"", "- ''\n- '~'\n- ~\n- '- a'\n", "{a: {b: [[]]}, c: {}}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		root, findings := yamldoc.Parse(data, 1<<12)
		if findings.Err() != nil {
			return
		}
		text, err := yaml.Dump(root)
		if err != nil {
			t.Fatal(err)
		}
		again, findings := yamldoc.Parse(text, 1<<20)
		if findings.Err() != nil {
			t.Fatalf("%s became %v:\n%s", show(root), findings, text)
		}
		if show(again) != show(root) {
			t.Errorf("%s became %s:\n%s", show(root), show(again), text)
		}
	})
}
