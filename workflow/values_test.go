package workflow_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ingot.dev/ingot/model"
	"ingot.dev/ingot/workflow"
)

func values() workflow.Values {
	return workflow.Values{
		Parameters: map[string]any{
			"retries": json.Number("5"), "huge": json.Number("900719925474099312345"), "keep": true,
			"labels": []any{"a", "b"}, "text": "x", "none": []any{},
		},
		StepOutputs: map[string]any{
			"Launch": map[string]any{"instanceId": "i-0123456789abcdef0"},
			"Run":    map[string]any{"output": []any{"first", "second"}, "n": 1.5, "nothing": nil},
		},
		WorkflowOutputs: map[string]any{"imgId": "ami-0123456789abcdef0"},
		ImageBuilder:    map[string]any{"imagetype": "AMI", "s3logs": nil, "platform": "Linux"},
	}
}

func TestTyped(t *testing.T) {
	declared := []model.WorkflowParameterDetail{
		{Name: "n", Type: "integer", DefaultValue: []string{"3"}},
		{Name: "zeros", Type: "integer"},
		{Name: "b", Type: "boolean"},
		{Name: "s", Type: "string"},
		{Name: "list", Type: "stringList", DefaultValue: []string{"x"}},
		{Name: "empty", Type: "stringList"},
	}
	given := []model.WorkflowParameter{
		{Name: "zeros", Value: []string{"-007"}},
		{Name: "b", Value: []string{"TRUE"}},
		{Name: "s", Value: []string{"a b"}},
		{Name: "empty", Value: []string{}},
	}
	got, err := workflow.Typed(declared, given)
	want := map[string]any{
		"n": json.Number("3"), "zeros": json.Number("-7"), "b": true, "s": "a b", "list": []any{"x"}, "empty": []any{},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, bad := range [][]string{{"x"}, {"1", "2"}, {}, {""}, {"-"}} {
		if got, err := workflow.Typed(declared[:1], []model.WorkflowParameter{{Name: "n", Value: bad}}); err == nil {
			t.Errorf("n=%q gives %v, want an error", bad, got)
		}
	}
	if got, err := workflow.Typed(declared[1:2], nil); err == nil {
		t.Errorf("a parameter without a value gives %v, want an error", got)
	}
}

func TestLookup(t *testing.T) {
	for path, want := range map[string]any{
		"$.parameters.retries":               json.Number("5"),
		"$.parameters.labels[1]":             "b",
		"$.parameters.labels[2]":             nil,
		"$.parameters.labels.a":              nil,
		"$.parameters.Retries":               nil, // only imagebuilder disregards letter case
		"$.stepOutputs.Launch.instanceId":    "i-0123456789abcdef0",
		"$.stepOutputs.Launch[0]":            nil,
		"$.stepOutputs.Run.output[0]":        "first",
		"$.stepOutputs.Absent.output":        nil,
		"$.stepOutputs.Run.nothing.deeper":   nil,
		"$.workflowOutputs.imgId":            "ami-0123456789abcdef0",
		"$.imageBuilder.ImageType":           "AMI",
		"$.imagebuilder.s3Logs":              nil,
		"$.imagebuilder.s3Logs.s3BucketName": nil,
		"$.parameters":                       nil,
		"$.elsewhere.name":                   nil,
	} {
		if got, err := values().Lookup(path); err != nil || !cmp.Equal(want, got) {
			t.Errorf("Lookup(%s) = %v, %v; want %v", path, got, err, want)
		}
	}
}

// resolvable is a step of a document with one RunCommand.
func resolvable(t testing.TB, inputs string) workflow.Step {
	t.Helper()
	document := fmt.Sprintf(`schemaVersion: 1.0
parameters: [{name: retries, type: integer}, {name: labels, type: stringList}, {name: text}, {name: keep, type: boolean}, {name: none, type: stringList}]
steps:
  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}
  - {name: Run, action: RunCommand, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId, documentName: AWS-RunShellScript}}
  - %s
`, inputs)
	d, findings := workflow.Check([]byte(document), build)
	if d == nil {
		t.Fatalf("%s: %v", inputs, findings.Err())
	}
	return d.Steps[2]
}

func TestResolve(t *testing.T) {
	tests := []struct{ name, step, want, err string }{
		{
			"types are kept", `{name: Reg, action: RegisterImage, inputs: {description.$: $.parameters.retries, enaSupport.$: $.parameters.keep}}`,
			`{"description":5,"enaSupport":true}`, "",
		},
		{
			"depth", `{name: Reg, action: RegisterImage, inputs: {blockDeviceMapping: [{DeviceName: /dev/sda1, Ebs: {SnapshotId.$: "$.stepOutputs.Run.output[0]", VolumeSize.$: $.parameters.retries}}]}}`,
			`{"blockDeviceMapping":[{"DeviceName":"/dev/sda1","Ebs":{"SnapshotId":"first","VolumeSize":5}}]}`, "",
		},
		{
			"within texts", `{name: Reg, action: RegisterImage, inputs: {description: "{{ $.parameters.text }}-{{$.parameters.labels}} {{imagebuilder:buildDate}} $.parameters.text"}}`,
			`{"description":"x-[\"a\",\"b\"] {{imagebuilder:buildDate}} $.parameters.text"}`, "",
		},
		{
			"lists of parameters", `{name: Say, action: RunCommand, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId, documentName: X, parameters: {commands: ["echo {{ $.parameters.retries }}"], more.$: $.parameters.labels}}}`,
			`{"documentName":"X","instanceId":"i-0123456789abcdef0","parameters":{"commands":["echo 5"],"more":["a","b"]}}`, "",
		},
		{
			"a literal with the suffix", `{name: Reg, action: RegisterImage, inputs: {description.$: plain}}`,
			`{"description":"plain"}`, "",
		},
		{
			"JSON after substitution", `{name: Ask, action: WaitForAction, inputs: {payload: '{"l": {{ $.parameters.labels }} }'}}`,
			`{"payload":"{\"l\": [\"a\",\"b\"] }"}`, "",
		},
		{"no value", `{name: Reg, action: RegisterImage, inputs: {description.$: $.imagebuilder.s3Logs}}`, "", "Unable to resolve $.imagebuilder.s3Logs"},
		{"no value within a text", `{name: Reg, action: RegisterImage, inputs: {description: "a {{ $.workflowOutputs.absent }}"}}`, "", "Unable to resolve $.workflowOutputs.absent"},
		{"not JSON", `{name: Ask, action: WaitForAction, inputs: {payload: '{{ $.parameters.text }}'}}`, "", "input 'payload' must be a text of JSON, which 'x' is not"},
		{"not an instance", `{name: Stop, action: TerminateInstance, inputs: {instanceId.$: $.parameters.text}}`, "", "input 'instanceId' must match"},
		{"not a boolean", `{name: Reg, action: RegisterImage, inputs: {enaSupport.$: $.parameters.text}}`, "", "input 'enaSupport' must be a boolean, not 'x'"},
		{"not a list", `{name: Launch2, action: LaunchInstance, inputs: {waitFor: ssmAgent, instanceTypesOverride.$: $.workflowOutputs.imgId}}`, "", "input 'instanceTypesOverride' must be a list of strings"},
		{"not one of the values", `{name: Launch2, action: LaunchInstance, inputs: {waitFor.$: $.parameters.text}}`, "", "input 'waitFor' must be one of ssmAgent, not 'x'"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := values().Resolve(resolvable(t, test.step))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("= %v, %v; want the error %q", got, err, test.err)
				}
				return
			}
			text, _ := workflow.Text(got)
			if err != nil || text != test.want {
				t.Errorf("= %s, %v; want %s", text, err, test.want)
			}
		})
	}
}

func TestResolvedInputsAreBounded(t *testing.T) {
	v := values()
	v.Parameters["text"] = strings.Repeat("x", 1<<16)
	s := resolvable(t, `{name: Reg, action: RegisterImage, inputs: {description: "`+strings.Repeat("{{ $.parameters.text }}", 17)+`"}}`)
	if _, err := v.Resolve(s); err == nil {
		t.Error("17 times 64 KiB are resolved")
	}
}

func TestRollbackOf(t *testing.T) {
	for text, want := range map[string]bool{"true": true, "false": false, "$.parameters.keep": true} {
		got, err := values().RollbackOf(resolvable(t, `{name: Stop, action: WaitForAction, rollbackEnabled: `+text+`}`))
		if err != nil || got != want {
			t.Errorf("%s: %t, %v; want %t", text, got, err, want)
		}
	}
	for _, path := range []string{"$.workflowOutputs.absent", "$.workflowOutputs.imgId"} {
		if got, err := values().RollbackOf(resolvable(t, `{name: Stop, action: WaitForAction, rollbackEnabled: `+path+`}`)); err == nil {
			t.Errorf("%s is %t, want an error", path, got)
		}
	}
}

func TestResults(t *testing.T) {
	d := &workflow.Document{Outputs: []workflow.Output{
		{Name: "id", Value: "$.stepOutputs.Launch.instanceId"},
		{Name: "n", Value: "$.parameters.retries"},
		{Name: "literal", Value: "done"},
		{Name: "text", Value: "on {{ $.imagebuilder.platform }}"},
		{Name: "skipped", Value: "$.stepOutputs.Skipped.output"},
		{Name: "part", Value: "{{ $.stepOutputs.Skipped.output }}"},
	}}
	got, err := values().Results(d)
	want := map[string]any{"id": "i-0123456789abcdef0", "n": json.Number("5"), "literal": "done", "text": "on Linux"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestHolds(t *testing.T) {
	tests := []struct {
		condition string // YAML of `if`
		want      bool
		fails     bool
	}{
		{`{stringEquals: AMI, value: $.imagebuilder.imageType}`, true, false},
		{`{stringEquals: ami, value: $.imagebuilder.imageType}`, false, false},
		{`{stringEquals: "5", value: $.parameters.retries}`, true, false},
		{`{stringEquals: "true", value: $.parameters.keep}`, true, false},
		{`{stringEquals: $.parameters.text, value: x}`, true, false},
		{`{stringEquals: "null", value: $.imagebuilder.s3Logs}`, false, false},
		{`{not: {stringEquals: x, value: $.workflowOutputs.absent}}`, true, false},
		{`{booleanEquals: true, value: $.parameters.keep}`, true, false},
		{`{booleanEquals: "TRUE", value: $.parameters.keep}`, true, false},
		{`{booleanEquals: false, value: $.workflowOutputs.absent}`, false, false},
		{`{booleanEquals: true, value: $.parameters.text}`, false, true},
		{`{numberEquals: 5, value: $.parameters.retries}`, true, false},
		{`{numberEquals: 5.0, value: $.parameters.retries}`, true, false},
		{`{numberGreaterThan: 4, value: $.parameters.retries}`, true, false}, // 5 > 4
		{`{numberGreaterThan: 5, value: $.parameters.retries}`, false, false},
		{`{numberGreaterThanEquals: 5, value: $.parameters.retries}`, true, false},
		{`{numberLessThan: 6, value: $.parameters.retries}`, true, false},
		{`{numberLessThan: "5", value: $.parameters.retries}`, false, false},
		{`{numberLessThanEquals: "5", value: $.parameters.retries}`, true, false},
		{`{numberEquals: $.parameters.text, value: 1}`, false, true},
		{`{numberEquals: $.parameters.labels, value: 1}`, false, true},
		{`{and: [{stringEquals: a, value: b}, {numberEquals: $.parameters.text, value: 1}]}`, false, false}, // stops at the first false
		{`{or: [{stringEquals: a, value: a}, {numberEquals: $.parameters.text, value: 1}]}`, true, false},
		{`{or: [{stringEquals: a, value: b}, {not: [{stringEquals: a, value: b}]}]}`, true, false},
		{`{not: {numberEquals: $.parameters.text, value: 1}}`, false, true},
	}
	for _, test := range tests {
		s := resolvable(t, `{name: Ask, action: WaitForAction, if: `+test.condition+`}`)
		got, err := values().Holds(*s.If)
		if got != test.want || (err != nil) != test.fails {
			t.Errorf("%s = %t, %v; want %t, error %t", test.condition, got, err, test.want, test.fails)
		}
	}
}

// TestOrdering: of two integers exactly one of <, = and > holds, and the
// operators with Equals agree with them, however long the numbers are.
func TestOrdering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`-?[0-9]{1,40}`)
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		v := workflow.Values{}
		holds := func(operator string) bool {
			ok, err := v.Holds(workflow.Condition{Operator: operator, Operand: a, Value: b})
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		less, equal, greater := holds(workflow.NumberLessThan), holds(workflow.NumberEquals), holds(workflow.NumberGreaterThan)
		if n := count(less, equal, greater); n != 1 {
			t.Errorf("%s and %s: less %t, equal %t, greater %t", a, b, less, equal, greater)
		}
		if holds(workflow.NumberLessThanEquals) != (less || equal) || holds(workflow.NumberGreaterThanEquals) != (greater || equal) {
			t.Errorf("%s and %s: the operators with Equals disagree", a, b)
		}
	})
}

func count(list ...bool) (n int) {
	for _, b := range list {
		if b {
			n++
		}
	}
	return n
}

func TestGroups(t *testing.T) {
	type entry struct{ name, group string }
	list := []entry{{"A", ""}, {"B", "g1"}, {"C", ""}, {"D", "g1"}, {"E", "g2"}}
	got := fmt.Sprint(workflow.Groups(list, func(e entry) string { return e.group }))
	if want := "[[{A }] [{B g1} {D g1}] [{C }] [{E g2}]]"; got != want { // workflows.md §9
		t.Errorf("= %s, want %s", got, want)
	}
}

// TestGroupsKeepEverything: each workflow is in one group, and groups appear
// in the order of their first members.
func TestGroupsKeepEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b", "c"}), 0, 10).Draw(t, "groups")
		positions := make([]int, len(list))
		for i := range positions {
			positions[i] = i
		}
		groups := workflow.Groups(positions, func(i int) string { return list[i] })
		seen, first := map[int]bool{}, -1
		for _, group := range groups {
			if group[0] < first {
				t.Errorf("%v: the group of %d comes after that of %d", groups, group[0], first)
			}
			first = group[0]
			for _, i := range group {
				if seen[i] || list[i] != list[group[0]] || list[i] == "" && len(group) > 1 {
					t.Errorf("%v: %d is in the wrong group", groups, i)
				}
				seen[i] = true
			}
		}
		if len(seen) != len(list) {
			t.Errorf("%v has %d workflows, want %d", groups, len(seen), len(list))
		}
	})
}

// FuzzResolve: whatever a text and a parameter hold, resolving ends with a
// value or an error, and a text without paths stays as it is.
func FuzzResolve(f *testing.F) {
	f.Add("{{ $.parameters.text }} {{$.stepOutputs.Run.output[0]}}", "{{ $.parameters.text }}")
	f.Add("{{{{ $.parameters.text }}}} {{ $.a", "$.parameters.text")
	f.Fuzz(func(t *testing.T, text, parameter string) {
		v := values()
		v.Parameters["text"] = parameter
		s := workflow.Step{Action: workflow.FindAction("RegisterImage"), Inputs: map[string]any{"description": text}}
		got, err := v.Resolve(s)
		if len(workflow.Interpolations(text)) == 0 && len(text) < 1<<20 && (err != nil || got["description"] != text) {
			t.Errorf("%q became %q, %v", text, got["description"], err)
		}
	})
}

// FuzzHolds: a comparison of any two texts ends.
func FuzzHolds(f *testing.F) {
	f.Add("numberEquals", "1.50", "$.parameters.huge")
	f.Add("booleanEquals", "true", "$.parameters.keep")
	f.Add("stringEquals", "$.parameters[0]", "x")
	f.Fuzz(func(t *testing.T, operator, operand, value string) {
		c := workflow.Condition{Operator: operator, Operand: operand, Value: value}
		if operator == workflow.And || operator == workflow.Or || operator == workflow.Not {
			c.Conditions = []workflow.Condition{{Operator: workflow.StringEquals, Operand: operand, Value: value}}
		}
		if holds, err := values().Holds(c); holds && err != nil {
			t.Errorf("%+v holds with the error %v", c, err)
		}
	})
}
