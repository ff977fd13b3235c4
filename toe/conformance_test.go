package toe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe"
)

// The cases C01 to C57 of component-documents.md §17 are tests of their number,
// here and beside what they are about.

// document wraps steps as §17 says.
func document(steps string) string {
	return "schemaVersion: 1.0\nphases:\n- name: build\n  steps:\n" + indent(steps, "  ")
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.Trim(text, "\n"), "\n", "\n"+by) + "\n"
}

// trial is one run and what is left of it.
type trial struct {
	result  toe.Result
	err     error
	events  []toe.Event
	console string
	steps   map[string]step // by phase.step
	order   []string
	dir     string
}

type step struct {
	Name, Status, FailureMessage, Action, Inputs, Outputs string
	Loop                                                  *struct {
		Name, Type       string
		Iterations       int
		FailedIterations []int
	}
}

// stdout is outputs.stdout of a step.
func (tr *trial) stdout(name string) string {
	var out []map[string]string
	if err := json.Unmarshal([]byte(tr.steps[name].Outputs), &out); err != nil || len(out) == 0 {
		return fmt.Sprintf("no outputs of %s: %q", name, tr.steps[name].Outputs)
	}
	return out[0]["stdout"]
}

func (tr *trial) counters() string {
	return fmt.Sprintf("%d/%d/%d", tr.result.ExecutedStepCount, tr.result.FailedStepCount, tr.result.IgnoredFailedStepCount)
}

// try runs documents in a directory of their own.
func try(t testing.TB, change func(*toe.Request), documents ...string) *trial {
	t.Helper()
	dir := t.TempDir()
	req := toe.Request{ExecutionID: "run-1", LogDirectory: filepath.Join(dir, "logs"), WorkingDirectory: dir}
	for i, d := range documents {
		name := "doc.yml"
		if i > 0 {
			name = fmt.Sprintf("doc%d.yml", i+1)
		}
		req.Documents = append(req.Documents, toe.Source{Path: name, Data: []byte(strings.ReplaceAll(d, "$DIR", dir))})
	}
	if change != nil {
		change(&req)
	}
	return again(t, dir, req)
}

// again runs a request and reads its logs.
func again(t testing.TB, dir string, req toe.Request) *trial {
	t.Helper()
	tr := &trial{dir: dir, steps: map[string]step{}}
	tr.result, tr.err = toe.Run(context.Background(), req, toe.Options{Observer: func(e toe.Event) { tr.events = append(tr.events, e) }})
	if tr.result.LogURL == "" {
		return tr
	}
	console, err := os.ReadFile(filepath.Join(tr.result.LogURL, "console.log"))
	if err != nil {
		t.Fatal(err)
	}
	tr.console = string(console)
	tr.readRecord(t)
	return tr
}

func (tr *trial) readRecord(t testing.TB) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(tr.result.LogURL, "detailedoutput.json"))
	if err != nil {
		t.Fatal(err)
	}
	var record struct {
		Documents []struct {
			Phases []struct {
				Name  string
				Steps []step
			}
		}
	}
	if err := json.Unmarshal(data, &record); err != nil {
		t.Fatalf("detailedoutput.json: %v\n%s", err, data)
	}
	for i, d := range record.Documents {
		for _, p := range d.Phases {
			for _, s := range p.Steps {
				tr.steps[p.Name+"."+s.Name] = s
				tr.order = append(tr.order, fmt.Sprintf("%d:%s.%s", i+1, p.Name, s.Name))
			}
		}
	}
}

// conformanceCase is a case whose steps are those of a phase build.
type conformanceCase struct {
	name, steps   string
	status, count string
	out           map[string]string // stdout by step
	message       string            // part of the first failed step's
	console       string            // part of it
}

func (c conformanceCase) run(t *testing.T) {
	tr := try(t, nil, document(c.steps))
	if tr.err != nil || tr.result.Status != c.status || tr.counters() != c.count {
		t.Fatalf("Run: status %s, counters %s, error %v; want %s, %s\n%s", tr.result.Status, tr.counters(), tr.err, c.status, c.count, tr.console)
	}
	for name, want := range c.out {
		if got := tr.stdout("build." + name); got != want {
			t.Errorf("stdout of %s = %q, want %q", name, got, want)
		}
	}
	if f := tr.result.Failure; (f != nil) != (c.message != "") || f != nil && !strings.Contains(f.Message, c.message) {
		t.Errorf("Failure = %+v, want message %q", f, c.message)
	}
	if !strings.Contains(tr.console, c.console) {
		t.Errorf("console.log lacks %q:\n%s", c.console, tr.console)
	}
}

func TestConformance(t *testing.T) {
	t.Setenv("SET_BUT_EMPTY", "")
	tests := []conformanceCase{
		{
			name: "C01 smallest", steps: `- {name: s, action: ExecuteBash, inputs: {commands: [echo hi]}}`,
			status: "success", count: "1/0/0", out: map[string]string{"s": "hi"}, console: "Info TOE has completed execution successfully\n",
		},
		{
			name: "C04 one script without set -e", steps: `- {name: s, action: ExecuteBash, inputs: {commands: [A=5, 'false', 'echo $A $?']}}`,
			status: "success", count: "1/0/0", out: map[string]string{"s": "5 1"},
		},
		{
			name: "C05 exit code", steps: `- {name: s, action: ExecuteBash, inputs: {commands: [exit 3]}}`,
			status: "failed", count: "1/1/0", message: "exit status 3",
		},
		{
			name: "C06 trailing line feeds",
			steps: `
- {name: one, action: ExecuteBash, inputs: {commands: ["printf 'x\\n\\n'"]}}
- {name: two, action: ExecuteBash, inputs: {commands: ['echo "[{{ build.one.outputs.stdout }}]"']}}`,
			status: "success", count: "2/0/0", out: map[string]string{"two": "[x]"},
		},
		{
			name: "C07 standard error", steps: `- {name: s, action: ExecuteBash, inputs: {commands: [echo a, 'echo b >&2']}}`,
			status: "success", count: "1/0/0", out: map[string]string{"s": "a"}, console: "CmdExecution: Stderr: b\n",
		},
		{
			name: "C08 indexed inputs",
			steps: `
- {name: mk, action: CreateFile, inputs: [{path: $DIR/c08a}, {path: $DIR/c08b}]}
- {name: show, action: ExecuteBash, inputs: {commands: ['basename {{build.mk.inputs[1].path}} && ls c08b']}}`,
			status: "success", count: "2/0/0", out: map[string]string{"show": "c08b\nc08b"},
		},
		{
			name: "C11, C12, C13 text that is no expression",
			steps: `
- {name: a, action: ExecuteBash, inputs: {commands: ["echo '{{ build.x.outputs.stdout'"]}}
- {name: b, action: ExecuteBash, inputs: {commands: ["echo '{{.State.Pid}}'"]}}
- {name: c, action: ExecuteBash, inputs: {commands: ["echo '{{ loop.value }}'"]}}
- {name: d, action: ExecuteBash, inputs: {commands: ["echo '{{{ loop }}} {{ {{ context:step }}'"]}}`,
			status: "success", count: "4/0/0",
			out: map[string]string{"a": "{{ build.x.outputs.stdout", "b": "{{.State.Pid}}", "c": "{{ loop.value }}", "d": "{{{ loop }}} {{ d"},
		},
		{
			name: "C22 Continue", count: "2/1/0", status: "failed", message: "exit status 1",
			steps: `
- {name: a, action: ExecuteBash, onFailure: Continue, inputs: {commands: [exit 1]}}
- {name: b, action: ExecuteBash, inputs: {commands: [echo b]}}`,
			out: map[string]string{"b": "b"},
		},
		{
			name: "C23 Ignore", count: "2/0/1", status: "successWithIgnoredFailure",
			steps: `
- {name: a, action: ExecuteBash, onFailure: Ignore, inputs: {commands: [exit 1]}}
- {name: b, action: ExecuteBash, inputs: {commands: [echo b]}}`,
			out: map[string]string{"b": "b"},
		},
		{
			name: "C24 Abort", count: "1/1/0", status: "failed", message: "exit status 1",
			steps: `
- {name: a, action: ExecuteBash, onFailure: Abort, inputs: {commands: [exit 1]}}
- {name: b, action: ExecuteBash, inputs: {commands: [echo b]}}`,
		},
		{
			name: "C25 attempts", count: "1/0/0", status: "success",
			steps: `
- name: s
  action: ExecuteBash
  maxAttempts: 3
  inputs:
    commands: ['echo x >> c25; n=$(wc -l < c25); echo $n; test $n -eq 3']`,
			out: map[string]string{"s": "3"}, console: "Warn Step s attempt 2 of 3 failed: exit status 1\n",
		},
		{
			name: "C54 context", steps: `- {name: s, action: ExecuteBash, inputs: {commands: ['echo {{ context:phase }}/{{ context:step }}/{{ context:executionId }}']}}`,
			status: "success", count: "1/0/0", out: map[string]string{"s": "build/s/run-1"},
		},
		{
			name: "environment", steps: `- {name: s, action: ExecuteBash, inputs: {commands: ['echo "<{{ env:SET_BUT_EMPTY }}>"']}}`,
			status: "success", count: "1/0/0", out: map[string]string{"s": "<>"},
		},
		{
			name: "environment not set", steps: `- {name: s, action: ExecuteBash, maxAttempts: 2, inputs: {commands: ['echo {{ env:IS_NOT_SET }}']}}`,
			status: "failed", count: "1/1/0", message: "Unable to resolve '{{ env:IS_NOT_SET }}': the environment variable is not set",
		},
		{
			name: "failed step's output", count: "2/0/1", status: "successWithIgnoredFailure",
			steps: `
- {name: a, action: ExecuteBash, onFailure: Ignore, inputs: {commands: [echo part, exit 1]}}
- {name: b, action: ExecuteBash, inputs: {commands: ['echo {{ build.a.outputs.stdout }}']}}`,
			out: map[string]string{"b": "part"},
		},
		{
			name: "a step without bash", steps: `- {name: s, action: ExecuteBinary, inputs: {path: no-such-program}}`,
			status: "failed", count: "1/1/0", message: "no-such-program is not in PATH",
		},
		{
			name: "not a number after substitution", count: "1/1/0", status: "failed", message: "Input 'overwrite' of action CreateFile is not a valid boolean",
			steps: `- {name: s, action: CreateFile, inputs: [{path: f, overwrite: '{{ context:step }}'}]}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, test.run)
	}
}

func TestParameters(t *testing.T) { // C14
	const doc = `
schemaVersion: 1.0
parameters:
- Who: {type: string, default: all}
- Tag: {type: string}
phases:
- name: build
  steps:
  - {name: s, action: ExecuteBash, inputs: {commands: ['echo "{{ Who }}-{{Tag}}"']}}
`
	tests := []struct {
		name        string
		global, own map[string]string
		want        string
	}{
		{"defaults", nil, nil, "all-"},
		{"global", map[string]string{"Who": "me", "Tag": "v1"}, nil, "me-v1"},
		{"unknown name", map[string]string{"Other": "1"}, nil, "all-"},
		{"own wins", map[string]string{"Who": "me"}, map[string]string{"Who": "you"}, "you-"},
		{"not scanned again", map[string]string{"Tag": "{{ Who }}"}, nil, "all-{{ Who }}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tr := try(t, func(r *toe.Request) { r.Parameters, r.Documents[0].Parameters = test.global, test.own }, doc)
			if got := tr.stdout("build.s"); got != test.want {
				t.Errorf("stdout = %q, want %q", got, test.want)
			}
		})
	}
}

func TestConstants(t *testing.T) {
	tr := try(t, nil, `
schemaVersion: '1'
constants:
- Ver: {type: string, value: 1.10}
- Num: {type: string, value: 007}
- Flag: {type: string, value: yes}
- Aaa: {type: string, value: '{{ Bbb }}'}
- Bbb: {type: string, value: x}
phases:
- name: build
  steps:
  - {name: C16, action: ExecuteBash, inputs: {commands: ["echo '{{ Ver }} {{ Num }} {{ Flag }}'"]}}
  - {name: C17, action: ExecuteBash, inputs: {commands: ["echo '{{ Aaa }}'"]}}
`)
	for name, want := range map[string]string{
		"C16 constants keep their source text": "1.10 007 yes", "C17 constants are not scanned": "{{ Bbb }}",
	} {
		t.Run(name, func(t *testing.T) {
			if got := tr.stdout("build." + name[:3]); got != want {
				t.Errorf("stdout = %q, want %q", got, want)
			}
		})
	}
}

func TestRefusedBeforeTheFirstStep(t *testing.T) { // C19, C42
	const doc = `
schemaVersion: 1.0
parameters: [{Level: {type: string, default: Low, allowedValues: [Low, High]}}]
phases: [{name: build, steps: [{name: r, action: Reboot}]}]
`
	tests := []struct {
		name   string
		change func(*toe.Request)
		want   string
	}{
		{"value not allowed", func(r *toe.Request) { r.Parameters = map[string]string{"Level": "Mid"} }, "'Mid' of parameter 'Level'"},
		{"nobody restarts", nil, "TOE_REBOOT_HANDOFF=1"},
		{"invalid document", func(r *toe.Request) { r.Documents[0].Data = []byte("phases: []") }, "doc.yml:1:1: Missing required field 'schemaVersion'"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tr := try(t, test.change, doc)
			if tr.err != nil || tr.result.Status != "failed" || tr.counters() != "0/0/0" || !strings.Contains(tr.result.FailureMessage, test.want) {
				t.Errorf("Run = %+v, %v; want failed with %q", tr.result, tr.err, test.want)
			}
		})
	}
}

func TestPhaseSelection(t *testing.T) {
	phase := func(name string) string {
		return "- {name: " + name + ", steps: [{name: s, action: ExecuteBash, inputs: {commands: [echo]}}]}\n"
	}
	testFirst := "schemaVersion: 1.0\nphases:\n" + phase("test") + phase("build")
	buildFirst := "schemaVersion: 1.0\nphases:\n" + phase("build") + phase("validate")
	tests := []struct {
		name      string
		phases    []string
		documents []string
		want      []string
	}{
		{"C20 order of the document", []string{"build", "test"}, []string{testFirst}, []string{"1:test.s", "1:build.s"}},
		{"C20 no match", []string{"deploy"}, []string{testFirst}, nil},
		{"C21 documents one after another", []string{"validate", "build"}, []string{buildFirst, buildFirst}, []string{"1:build.s", "1:validate.s", "2:build.s", "2:validate.s"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tr := try(t, func(r *toe.Request) { r.Phases = test.phases }, test.documents...)
			if tr.result.Status != "success" || tr.result.ExecutedStepCount != len(test.want) {
				t.Errorf("Run = %+v, want success of %d steps", tr.result, len(test.want))
			}
			if diff := cmp.Diff(test.want, tr.order); diff != "" {
				t.Errorf("order of steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestC57FailureBlock(t *testing.T) {
	tr := try(t, nil, "name: web\n"+document(`
- name: s
  action: ExecuteBash
  inputs:
    commands: [echo out, 'echo bad >&2', exit 1]`))
	want := []string{
		"  Document: web", "  Phase: build", "  Step: s", "  Action: ExecuteBash", "  ErrorMessage: exit status 1", "  Stderr: bad",
		"TOE has completed execution with failure - Execution failed!",
	}
	var got []string
	for _, e := range tr.events[len(tr.events)-len(want):] {
		got = append(got, e.Message)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("end of the console (-want +got):\n%s", diff)
	}
	one := 1
	failure := &toe.Failure{
		Document: "doc.yml", Phase: "build", Step: "s", Action: "ExecuteBash",
		ExitCode: &one, Message: "exit status 1", Tail: []string{"out", "bad"},
	}
	if diff := cmp.Diff(failure, sortTail(tr.result.Failure)); diff != "" {
		t.Errorf("Failure (-want +got):\n%s", diff)
	}
}

// sortTail puts the lines of the two streams, which race, in a fixed order.
func sortTail(f *toe.Failure) *toe.Failure {
	if len(f.Tail) == 2 && f.Tail[0] == "bad" {
		f.Tail[0], f.Tail[1] = f.Tail[1], f.Tail[0]
	}
	return f
}

func TestDisableLogging(t *testing.T) {
	tr := try(t, nil, document(`
- {name: a, action: ExecuteBash, disableLogging: true, inputs: {commands: ['echo sec''r''et']}}
- {name: b, action: ExecuteBash, disableLogging: true, inputs: {commands: ['test {{ build.a.outputs.stdout }} = secret']}}
- name: c
  action: Assert
  disableLogging: true
  if: {stringEquals: secret, value: '{{ build.a.outputs.stdout }}'}
  loop: {forEach: ['{{ build.a.outputs.stdout }}']}
  inputs: {stringEquals: '{{ loop.value }}', value: '{{ build.a.outputs.stdout }}'}`))
	if tr.result.Status != "success" {
		t.Fatalf("Run = %+v: the output must be there for later steps", tr.result)
	}
	files, err := filepath.Glob(filepath.Join(tr.result.LogURL, "*"))
	if err != nil || len(files) < 5 {
		t.Fatalf("log folder: %v, %v", files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(f) != "document.yaml" && strings.Contains(string(data), "secret") {
			t.Errorf("%s shows the output:\n%s", filepath.Base(f), data)
		}
	}
}

func TestEventsHaveTheirPlace(t *testing.T) {
	tr := try(t, nil, document(`- {name: s, action: ExecuteBash, inputs: {commands: [echo hi]}}`))
	found := false
	var lines []string
	for _, e := range tr.events {
		lines = append(lines, e.Time.UTC().Format("2006-01-02 15:04:05.000")+" "+e.Level+" "+e.Message)
		if e.Stream == "stdout" {
			found = e.Document == "doc.yml" && e.Phase == "build" && e.Step == "s" && strings.HasSuffix(e.Message, "hi")
		}
	}
	if !found {
		t.Errorf("no event with stream and place among %+v", tr.events)
	}
	if diff := cmp.Diff(tr.console, strings.Join(lines, "\n")+"\n"); diff != "" {
		t.Errorf("console.log and events differ (-log +events):\n%s", diff)
	}
}

func TestC28UnknownInput(t *testing.T) {
	tr := try(t, nil, document("- {name: s, action: DeleteFile, inputs: [{path: none*, forced: true}]}"))
	log, err := os.ReadFile(filepath.Join(tr.result.LogURL, "application.log"))
	if want := "Unknown input 'forced' of action DeleteFile is ignored"; tr.result.Status != "success" || !strings.Contains(string(log), want) {
		t.Errorf("Run = %+v, application.log (%v) lacks %q:\n%s", tr.result, err, want, log)
	}
}

func TestChainingFile(t *testing.T) {
	tr := try(t, nil, document(`
- {name: a, action: ExecuteBash, inputs: {commands: [echo 1]}}
- {name: b, action: CreateFile, inputs: [{path: x}, {path: y, content: '{{ build.a.outputs.stdout }}'}]}
- name: c
  action: Assert
  if: {stringEquals: '1', value: '{{ build.a.outputs.stdout }}'}
  loop: {forEach: ['{{ build.b.inputs[1].path }}']}
  inputs: {fileExists: '{{ build.b.inputs.path }}'}`))
	data, err := os.ReadFile(filepath.Join(tr.result.LogURL, "chaining.json"))
	if err != nil || tr.result.Status != "success" {
		t.Fatalf("Run = %+v, %v", tr.result, err)
	}
	var got map[string][]string
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"build.a": {"outputs.stdout"}, "build.b": {"inputs.path"}}, got); diff != "" {
		t.Errorf("chaining.json (-want +got):\n%s", diff)
	}
}
