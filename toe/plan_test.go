package toe_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"ingot.dev/ingot/toe"
)

func TestPlanGolden(t *testing.T) {
	t.Setenv("PLAN_SET", "set: 1")
	data, err := os.ReadFile("testdata/plan/doc.yml")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := toe.NewPlan(toe.Request{
		Documents:     []toe.Source{{Path: "doc.yml", Data: data, Parameters: map[string]string{"User": "0644"}}},
		Phases:        []string{"test", "build"},
		HandOffReboot: true, LogDirectory: t.TempDir(),
	}, toe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := yaml.Dump(plan, yaml.WithLineWidth(-1))
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/plan/doc.golden"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestPlanRefuses(t *testing.T) {
	bash := document(`- {name: s, action: ExecuteBash, inputs: {commands: [x]}}`)
	tests := []struct {
		name, document string
		blocked        []string
		want           string
	}{
		{"fault", document(`- {name: s, action: ExecuteBash}`), nil, "doc.yml:5:5: phases[0].steps[0]: Parsing step 's'"},
		{"blocked module", bash, []string{"ExecuteBash"}, "doc.yml: Action module 'ExecuteBash' is blocked"},
		{"value", "parameters: [{Abc: {type: string, allowedValues: [a]}}]\n" + bash, nil, "doc.yml: the value 'b' of parameter 'Abc' is not one of its allowedValues"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := toe.NewPlan(toe.Request{
				Documents:  []toe.Source{{Path: "doc.yml", Data: []byte(test.document)}},
				Parameters: map[string]string{"Abc": "b"}, LogDirectory: dir,
			}, toe.Options{Blocked: test.blocked})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("NewPlan: %v, want %q", err, test.want)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
				t.Errorf("the plan wrote %v, %v", files, err)
			}
		})
	}
}

// Inputs that each hold the one before twice would double at every step.
func TestPlanIsBounded(t *testing.T) {
	var steps strings.Builder
	steps.WriteString("- {name: s0, action: CreateFile, inputs: [{path: x}]}\n")
	for i := 1; i < 500; i++ {
		ref := fmt.Sprintf("{{ build.s%d.inputs.path }}", i-1)
		fmt.Fprintf(&steps, "- {name: s%d, action: CreateFile, inputs: [{path: '%s%s'}]}\n", i, ref, ref)
	}
	plan, err := toe.NewPlan(toe.Request{Documents: []toe.Source{{Path: "doc.yml", Data: []byte(document(steps.String()))}}}, toe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, s := range plan.Documents[0].Phases[0].Steps {
		size += len(s.Inputs.Items[0].Fields[0].Value.Text)
	}
	if size > 8<<20 {
		t.Errorf("the plan has %d bytes of text", size)
	}
}

// Whatever the document: a plan has every step of it, and can be read.
func FuzzPlan(f *testing.F) {
	data, err := os.ReadFile("testdata/plan/doc.yml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	for _, d := range wellFormed {
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, _ := toe.Check(data, toe.CheckOptions{})
		plan, err := toe.NewPlan(toe.Request{Documents: []toe.Source{{Data: data}}, HandOffReboot: true}, toe.Options{})
		if (doc == nil) != (err != nil) {
			t.Fatalf("document %v, but plan %v", doc, err)
		}
		if doc == nil {
			return
		}
		text, err := yaml.Dump(plan)
		if err != nil {
			t.Fatal(err)
		}
		var again struct {
			Documents []struct{ Phases []struct{ Steps []any } }
		}
		if err := yaml.Unmarshal(text, &again); err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		for i, p := range again.Documents[0].Phases {
			if len(p.Steps) != len(doc.Phases[i].Steps) {
				t.Errorf("phase %d has %d steps, want %d:\n%s", i, len(p.Steps), len(doc.Phases[i].Steps), text)
			}
		}
	})
}
