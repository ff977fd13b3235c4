package toe_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe"
)

// looped is a step that runs a command in a loop, a YAML flow mapping.
func looped(loop, command string) string {
	return "- name: s\n  action: ExecuteBash\n  loop: " + loop + "\n  inputs: {commands: ['" + command + "']}\n"
}

func TestLoop(t *testing.T) {
	const say = `echo "{{ loop.index }}:{{ loop.value }}"`
	printed := func(command string) string {
		return "- {name: gen, action: ExecuteBash, inputs: {commands: [\"" + command + "\"]}}\n"
	}
	tests := []conformanceCase{
		{
			name: "C37 down", steps: looped("{for: {start: 3, end: 1, updateBy: -1}}", say),
			status: "success", count: "1/0/0", out: map[string]string{"s": "0:3\n1:2\n2:1"},
		},
		{
			name: "C37 past the end", steps: looped("{for: {start: 1, end: 6, updateBy: 2}}", say),
			status: "success", count: "1/0/0", out: map[string]string{"s": "0:1\n1:3\n2:5"},
		},
		{
			name: "one number", steps: looped("{for: {start: 7, end: 7, updateBy: -3}}", say),
			status: "success", count: "1/0/0", out: map[string]string{"s": "0:7"},
		},
		{
			name: "largest numbers", steps: looped("{for: {start: -9223372036854775808, end: 9223372036854775807, updateBy: 9223372036854775807}}", say),
			status: "success", count: "1/0/0", out: map[string]string{"s": "0:-9223372036854775808\n1:-1\n2:9223372036854775806"},
		},
		{
			name:   "C38 split",
			steps:  printed(`printf 'a; b;'`) + looped(`{name: each, forEach: {list: '{{ build.gen.outputs.stdout }}', delimiter: ';'}}`, `echo "{{ each.index }}={{ loop.value }}"`),
			status: "success", count: "2/0/0", out: map[string]string{"s": "0=a\n1= b\n2="},
		},
		{
			name:   "lines",
			steps:  printed(`printf 'a\\nb'`) + looped(`{forEach: {list: '{{ build.gen.outputs.stdout }}', delimiter: "\n"}}`, say),
			status: "success", count: "2/0/0", out: map[string]string{"s": "0:a\n1:b"},
		},
		{
			name:   "nothing to split",
			steps:  printed("true") + looped(`{forEach: {list: '{{ build.gen.outputs.stdout }}'}}`, say) + `- {name: after, action: ExecuteBash, inputs: {commands: ['echo "<{{ build.s.outputs.stdout }}>"']}}`,
			status: "success", count: "3/0/0", out: map[string]string{"after": "<>"},
		},
		{
			name:   "items with references",
			steps:  printed(`printf 'x\\ny'`) + looped(`{forEach: [1.10, yes, '{{ build.gen.outputs.stdout }}', '{{ loop.value }}']}`, say),
			status: "success", count: "2/0/0", out: map[string]string{"s": "0:1.10\n1:yes\n2:x\ny\n3:{{ loop.value }}"},
		},
		{
			name:   "name of another loop",
			steps:  looped(`{name: one, forEach: [a]}`, "echo {{ one.value }}") + strings.Replace(looped(`{name: two, forEach: [b]}`, "echo {{ one.value }} {{ two.value }}"), "name: s", "name: t", 1),
			status: "success", count: "2/0/0", out: map[string]string{"s": "a", "t": "{{ one.value }} b"},
		},
		{
			name:   "an earlier step's input keeps its braces",
			steps:  "- {name: gen, action: CreateFile, inputs: {path: '{{ loop.value }}'}}\n" + looped(`{forEach: [b]}`, "echo {{ build.gen.inputs.path }}"),
			status: "success", count: "2/0/0", out: map[string]string{"s": "{{ loop.value }}"},
		},
		{
			name:   "if before the loop",
			steps:  strings.Replace(looped(`{forEach: ['{{ env:IS_NOT_SET }}']}`, say), "  loop", "  if: {folderExists: /none}\n  loop", 1),
			status: "success", count: "0/0/0",
		},
		{
			name: "assertion of a loop variable", steps: "- {name: s, action: Assert, loop: {forEach: [/, /none]}, inputs: {folderExists: '{{ loop.value }}'}}",
			status: "failed", count: "1/1/0", message: "Iteration(s) [1] of the loop failed", console: "Error Assert: Assertion evaluated to false\n",
		},
		{
			name:   "outputs of entries",
			steps:  "- {name: w, action: CreateFile, inputs: [{path: a, content: A}, {path: b, content: B}]}\n- {name: r, action: ReadFile, loop: {forEach: ['1', '2']}, inputs: [{path: a}, {path: b}]}\n" + `- {name: s, action: ExecuteBash, inputs: {commands: ['echo "{{ build.r.outputs[1].content }}"']}}`,
			status: "success", count: "3/0/0", out: map[string]string{"s": "B\nB"},
		},
		{
			name: "a list that cannot be resolved", steps: looped(`{forEach: ['{{ env:IS_NOT_SET }}']}`, say),
			status: "failed", count: "1/1/0", message: "Unable to resolve '{{ env:IS_NOT_SET }}'",
		},
		{
			name: "an input that cannot be resolved", steps: strings.Replace(looped(`{forEach: [a]}`, "echo {{ env:IS_NOT_SET }}"), "  loop", "  maxAttempts: 2\n  loop", 1),
			status: "failed", count: "1/1/0", message: "Iteration(s) [0] of the loop failed", console: "Error Unable to resolve '{{ env:IS_NOT_SET }}'",
		},
		{
			name: "timeout", steps: strings.Replace(looped(`{forEach: ['0', '30', '0']}`, "sleep {{ loop.value }}"), "  loop", "  timeoutSeconds: 1\n  loop", 1),
			status: "failed", count: "1/1/0", message: "Loop timed out after 1 seconds",
		},
		{
			name: "too many parts", steps: printed(`head -c 100000 /dev/zero | tr '\\0' ,`) + looped(`{forEach: {list: '{{ build.gen.outputs.stdout }}'}}`, say),
			status: "failed", count: "2/1/0", message: "the loop has 100001 iterations, more than 100000",
		},
	}
	for _, test := range tests {
		t.Run(test.name, test.run)
	}
}

func TestLoopFails(t *testing.T) {
	for attempts, want := range map[string]string{"1": "ok0\nok1\n", "2": "ok0\nok1\nok0\nok1\n"} {
		t.Run("C40 maxAttempts "+attempts, func(t *testing.T) { wantFailure(t, attempts, want) })
	}
}

func wantFailure(t *testing.T, attempts, wantLog string) {
	tr := try(t, nil, document(`
- name: s
  action: ExecuteBash
  maxAttempts: `+attempts+`
  loop: {forEach: ['0', '7', '0']}
  inputs: {commands: ['echo ok{{ loop.index }} | tee -a $DIR/log', 'exit {{ loop.value }}']}`))
	s := tr.steps["build.s"]
	if s.Status != "failed" || s.FailureMessage != "Iteration(s) [1] of the loop failed" || tr.stdout("build.s") != "ok0" {
		t.Errorf("step = %+v, want it to fail at 1 with the output ok0", s)
	}
	if s.Loop == nil || s.Loop.Type != "forEach" || s.Loop.Iterations != 3 || !cmp.Equal(s.Loop.FailedIterations, []int{1}) {
		t.Errorf("loop = %+v, want 3 iterations of forEach, 1 failed", s.Loop)
	}
	if want := `[{"commands":["echo ok{{ loop.index }} | tee -a ` + tr.dir + `/log","exit {{ loop.value }}"]}]`; s.Inputs != want {
		t.Errorf("inputs = %s, want the declared ones, %s", s.Inputs, want)
	}
	if f := tr.result.Failure; f == nil || f.ExitCode == nil || *f.ExitCode != 7 {
		t.Errorf("Failure = %+v, want exit code 7", f)
	}
	if !strings.Contains(tr.console, "Error Iteration 1 of the loop failed: exit status 7\n") {
		t.Errorf("console.log does not say why:\n%s", tr.console)
	}
	if got, err := os.ReadFile(filepath.Join(tr.dir, "log")); string(got) != wantLog {
		t.Errorf("ran %q, %v; want %q", got, err, wantLog)
	}
}

// A reboot goes on in the iteration that asked for it; the outputs before it
// are kept, and its if is not asked again.
func TestLoopReboots(t *testing.T) {
	dir := t.TempDir()
	req := toe.Request{
		ExecutionID: "run-1", LogDirectory: filepath.Join(dir, "logs"), WorkingDirectory: dir, HandOffReboot: true,
		Documents: []toe.Source{{Path: "doc.yml", Data: []byte(document(`
- name: s
  action: ExecuteBash
  if: {not: {fileExists: ran-b}}
  loop: {forEach: [a, b, c]}
  inputs:
    commands:
    - echo {{ loop.value }} >> log
    - test {{ loop.value }} != b -o -f ran-b || { touch ran-b; echo dropped; exit 194; }
    - echo {{ loop.index }}{{ loop.value }}
- {name: t, action: ExecuteBash, inputs: {commands: ['echo "{{ build.s.outputs.stdout }}"']}}`))}},
	}
	if tr := again(t, dir, req); !tr.result.Reboot || tr.err != nil {
		t.Fatalf("first run = %+v, %v; want a reboot", tr.result, tr.err)
	}
	tr := again(t, dir, req)
	if tr.err != nil || tr.result.Status != "success" || tr.counters() != "2/0/0" || tr.stdout("build.t") != "0a\n1b\n2c" {
		t.Errorf("second run = %+v, %v, output %q", tr.result, tr.err, tr.stdout("build.t"))
	}
	if got, err := os.ReadFile(filepath.Join(dir, "log")); string(got) != "a\nb\nb\nc\n" {
		t.Errorf("iterations = %q, %v; want b twice", got, err)
	}
}

// The Reboot module goes on with the next iteration.
func TestLoopOfReboots(t *testing.T) {
	dir := t.TempDir()
	req := toe.Request{
		ExecutionID: "run-1", LogDirectory: filepath.Join(dir, "logs"), WorkingDirectory: dir, HandOffReboot: true,
		Documents: []toe.Source{{Path: "doc.yml", Data: []byte(document("- {name: s, action: Reboot, loop: {for: {start: 1, end: 2, updateBy: 1}}}"))}},
	}
	for i := range 2 {
		if result, err := toe.Run(context.Background(), req, toe.Options{}); err != nil || !result.Reboot {
			t.Fatalf("run %d = %+v, %v; want a reboot", i+1, result, err)
		}
	}
	if tr := again(t, dir, req); tr.err != nil || tr.result.Reboot || tr.counters() != "1/0/0" {
		t.Errorf("third run = %+v, %v; want the end", tr.result, tr.err)
	}
}

func TestCheckLoop(t *testing.T) {
	tests := []struct{ name, loop, want string }{ // want is part of the only error
		{"C37 wrong direction", `{for: {start: 1, end: 3, updateBy: -1}}`, "Invalid loop in step 's' of phase 'build': from 1 by -1 it never reaches 3"},
		{"C37 no step", `{for: {start: 1, end: 3, updateBy: 0}}`, "'updateBy' must not be 0"},
		{"C39 delimiter", `{forEach: {list: a, delimiter: '|'}}`, "'delimiter' must be a comma"},
		{"C39 two delimiters", `{forEach: {list: a, delimiter: ',,'}}`, "'delimiter' must be a comma"},
		{"C39 no items", `{forEach: []}`, "'forEach' must have at least one item"},
		{"C39 both", `{forEach: [a], for: {start: 1, end: 1, updateBy: 1}}`, "it needs one of 'for' and 'forEach'"},
		{"neither", `{name: x}`, "it needs one of 'for' and 'forEach'"},
		{"no number", `{for: {start: '{{ context:date }}', end: 3, updateBy: 1}}`, "Invalid value '{{ context:date }}' for 'start' in step 's' of phase 'build'; it must be an integer"},
		{"no end", `{for: {start: 1, updateBy: 1}}`, "Missing required field 'end' in the 'for' of step 's'"},
		{"a billion", `{for: {start: 1, end: 1000000000, updateBy: 1}}`, "it has more than 100000 iterations"},
		{"all numbers", `{for: {start: 9223372036854775807, end: -9223372036854775808, updateBy: -1}}`, "it has more than 100000 iterations"},
		{"text", `{forEach: a}`, "The 'forEach' of step 's' of phase 'build' must be a mapping, not a scalar"},
		{"item", `{forEach: [a, [b]]}`, "'forEach[1]' must be a string"},
		{"no list", `{forEach: {delimiter: ','}}`, "Missing required field 'list'"},
		{"unknown field", `{forEach: [a], nme: b}`, "Unknown field 'nme' in the loop of step 's' of phase 'build'; did you mean 'name'?"},
		{"reserved name", `{forEach: [a], name: loop}`, "the name 'loop' is reserved"},
		{"bad name", `{forEach: [a], name: a b}`, "invalid name 'a b'. Allowed characters"},
		{"reference", `{forEach: ['{{ Nope }}']}`, "Undefined reference '{{ Nope }}' in step 's' of phase 'build'"},
		{"list as an item", `{forEach: {list: [a]}}`, "Field 'list' in the 'forEach' of step 's' of phase 'build' must be a string"},
	}
	for _, test := range tests {
		wantError(t, test.name, "linux", looped(test.loop, "echo"), test.want)
	}
}

func TestLoopsOfADocument(t *testing.T) {
	two := looped("{name: each, forEach: [a]}", "echo {{ each.value }}") + strings.Replace(looped("{name: each, forEach: [a]}", "echo"), "name: s", "name: t", 1)
	of := func(reference string) string {
		return looped("{name: each, forEach: [a]}", "echo") + "- {name: p, action: CreateFile, loop: {name: other, forEach: [a]}, inputs: {path: '{{ other.value }}', content: '{{ each.value }}'}}\n- {name: t, action: ExecuteBash, inputs: {commands: ['" + reference + "']}}"
	}
	tests := []struct{ name, steps, want string }{ // want is part of the only error; empty: none
		{"two of a name", two, "Duplicate loop name 'each' in phase 'build'"},
		{"input with the loop's variable", of("{{ build.p.inputs.path }}"), "the input differs from one iteration of its step's loop to the next"},
		{"input with another loop's variable", of("{{ build.p.inputs.content }}"), ""},
	}
	for _, test := range tests {
		wantError(t, test.name, "linux", test.steps, test.want)
	}
}

func TestLoopVariableOfNoLoop(t *testing.T) { // C13
	tests := []struct{ steps, want string }{
		{looped("{name: each, forEach: [a]}", "echo {{ eech.value }}"), "'{{ eech.value }}' belongs to no loop of this step and stays as it is; did you mean 'each'?"},
		{"- {name: s, action: ExecuteBash, inputs: {commands: ['echo {{ loop.index }}']}}", "'{{ loop.index }}' belongs to no loop of this step and stays as it is"},
		{looped("{name: each, forEach: [a]}", "echo {{ each.value }} {{ loop.index }}"), ""},
	}
	for _, test := range tests {
		_, findings := toe.Check([]byte(document(test.steps)), toe.CheckOptions{Platform: "linux"})
		var got string
		if warnings := findings.Warnings(); len(warnings) == 1 {
			got = warnings[0].Message
		}
		if got != test.want || len(findings.Errors()) > 0 {
			t.Errorf("Check(%s) = %v, want one warning, %q", test.steps, findings, test.want)
		}
	}
}
