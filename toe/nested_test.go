//go:build unix

package toe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe"
	"ingot.dev/ingot/toe/cloud/cloudtest"
)

// nestedRecord is what detailedoutput.json says of a run and of those in it.
type nestedRecord struct {
	ExecutionID, Status, FailureMessage string
	Documents                           []struct {
		FilePath, Status string
		Phases           []struct {
			Name  string
			Steps []struct {
				step
				DetailedOutput []nestedRecord
			}
		}
	}
}

// outline is a run in short: phase.step=status, and what is nested in it.
func (r nestedRecord) outline() string {
	var parts []string
	for _, d := range r.Documents {
		for _, p := range d.Phases {
			for _, s := range p.Steps {
				text := p.Name + "." + s.Name + "=" + s.Status
				for _, nested := range s.DetailedOutput {
					text += fmt.Sprintf("[%s %s]", nested.Status, nested.outline())
				}
				parts = append(parts, text)
			}
		}
	}
	return strings.Join(parts, " ")
}

func (tr *trial) record(t testing.TB) nestedRecord {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(tr.result.LogURL, "detailedoutput.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r nestedRecord
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatalf("detailedoutput.json: %v\n%s", err, data)
	}
	return r
}

// tryNested runs a document in a directory that has others, by name.
func tryNested(t testing.TB, files map[string]string, main string, change ...func(*toe.Request)) *trial {
	t.Helper()
	return try(t, func(r *toe.Request) {
		place(t, r.WorkingDirectory, files)
		for _, f := range change {
			f(r)
		}
	}, main)
}

func place(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func bash(name, command string) string {
	return fmt.Sprintf("- {name: %s, action: ExecuteBash, inputs: {commands: ['%s']}}", name, command)
}

func executes(name, document string) string {
	return fmt.Sprintf("- {name: %s, action: ExecuteDocument, inputs: {document: %s}}", name, document)
}

func TestC43ExecuteDocument(t *testing.T) {
	tr := tryNested(t, map[string]string{"in.yml": document(`
- {name: a, action: ExecuteBash, onFailure: Ignore, inputs: {commands: [exit 1]}}
- {name: b, action: ExecuteBash, inputs: {commands: [echo hi]}}`)}, document(executes("n", "in.yml")+"\n"+
		bash("use", "echo {{ build.n.outputs.executedStepCount }} {{ build.n.outputs.status }}")))
	if tr.err != nil || tr.result.Status != "success" || tr.counters() != "2/0/0" {
		t.Fatalf("Run = %+v, %v\n%s", tr.result, tr.err, tr.console)
	}
	record := tr.record(t)
	nested := record.Documents[0].Phases[0].Steps[0].DetailedOutput[0]
	want := []map[string]any{{
		"executedStepCount": 2.0, "failedStepCount": 0.0, "ignoredFailedStepCount": 1.0, "executionId": nested.ExecutionID,
		"status": "successWithIgnoredFailure", "failureMessage": "", "logUrl": tr.result.LogURL,
	}}
	var got []map[string]any
	if err := json.Unmarshal([]byte(tr.steps["build.n"].Outputs), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	if got, want := record.outline(), "build.n=success[successWithIgnoredFailure build.a=ignoredFailure build.b=success] build.use=success"; got != want {
		t.Errorf("record = %s, want %s", got, want)
	}
	if nested.ExecutionID == "" || nested.ExecutionID == record.ExecutionID {
		t.Errorf("the nested run has the id %q, the outer one %q", nested.ExecutionID, record.ExecutionID)
	}
	if got, want := tr.steps["build.n"].Inputs, `[{"document":"in.yml","document-s3-bucket-owner":"","parameters":null,"phases":""}]`; got != want {
		t.Errorf("inputs = %s, want %s", got, want)
	}
	if got := tr.stdout("build.use"); got != "2 successWithIgnoredFailure" {
		t.Errorf("a later step sees %q", got)
	}
	wantInOrder(t, tr.console, "Step n", "ExecuteDocument: STARTED EXECUTION", "Document in.yml", "Phase build", "Step a", "Step b", "ExecuteDocument: FINISHED EXECUTION", "Step use")
	for _, e := range tr.events {
		if e.Stream != "" && e.Message == "CmdExecution: Stdout: hi" && (e.Document != "doc.yml" || e.Step != "n") {
			t.Errorf("a line of the nested document has the place %+v, want that of the top one's step", e)
		}
	}
	folders, err := filepath.Glob(filepath.Join(tr.dir, "logs", "TOE_*"))
	if err != nil || len(folders) != 1 {
		t.Errorf("log folders: %v, %v; want one", folders, err)
	}
}

func TestNestedDocuments(t *testing.T) {
	const parameters = `
schemaVersion: 1.0
parameters: [{Who: {type: string, default: all}}, {Tag: {type: string}}]
phases:
- name: build
  steps: [{name: s, action: ExecuteBash, inputs: {commands: ['echo {{ Who }}-{{ Tag }} >> said']}}]
- name: validate
  steps: [{name: v, action: ExecuteBash, inputs: {commands: ['echo validated >> said']}}]
`
	chain := map[string]string{"d4.yml": document(bash("end", "echo deep >> said"))}
	for i := range 4 {
		chain[fmt.Sprintf("d%d.yml", i)] = document(executes("n", fmt.Sprintf("d%d.yml", i+1)))
	}
	tests := []struct {
		name, main     string
		files          map[string]string
		status, record string
		said           string
		message        string // part of the failed step's
		parameters     map[string]string
	}{
		{
			name: "parameters and phases", files: map[string]string{"in.yml": parameters}, main: document(`
- {name: n, action: ExecuteDocument, inputs: {document: in.yml, phases: ' build , none', parameters: [{name: Tag, value: 'v {{ context:step }}'}, {name: Other, value: x}]}}`),
			status: "success", record: "build.n=success[success build.s=success]", said: "all-v n\n",
		},
		{
			name: "values for all documents", files: map[string]string{"in.yml": parameters}, main: document(`
- {name: n, action: ExecuteDocument, inputs: {document: in.yml, phases: build, parameters: [{name: Tag, value: v1}]}}`),
			parameters: map[string]string{"Who": "me", "Tag": "lost"},
			status:     "success", record: "build.n=success[success build.s=success]", said: "me-v1\n",
		},
		{
			name: "variables of the parent are not seen", files: map[string]string{"in.yml": document(bash("s", "{{ Who }}"))},
			main:   "constants: [{Who: {type: string, value: x}}]\n" + document(executes("n", "in.yml")),
			status: "failed", record: "build.n=failed[failed ]", message: "in.yml:5:57: phases[0].steps[0].inputs.commands[0]: Undefined reference '{{ Who }}'",
		},
		{
			name: "value that is not allowed", files: map[string]string{"in.yml": strings.Replace(parameters, "default: all", "allowedValues: [a, b]", 1)}, main: document(`
- {name: n, action: ExecuteDocument, inputs: {document: in.yml, parameters: [{name: Who, value: c}]}}`),
			status: "failed", record: "build.n=failed[failed ]", message: "the value 'c' of parameter 'Who' is not one of its allowedValues",
		},
		{
			name: "no phase matches", files: map[string]string{"in.yml": parameters},
			main:   document("- {name: n, action: ExecuteDocument, inputs: {document: in.yml, phases: none}}"),
			status: "success", record: "build.n=success[success ]",
		},
		{
			name: "Abort ends the nested document only", files: map[string]string{"in.yml": document(bash("a", "exit 3") + "\n" + bash("b", "echo b >> said"))},
			main:   document("- {name: n, action: ExecuteDocument, onFailure: Continue, inputs: {document: in.yml}}\n" + bash("after", "echo after >> said")),
			status: "failed", record: "build.n=failed[failed build.a=failed] build.after=success", said: "after\n", message: "Document in.yml failed!",
		},
		{
			name: "one after another is no cycle", files: map[string]string{"in.yml": document(bash("a", "echo {{ context:step }} >> said"))}, main: document(`
- {name: n, action: ExecuteDocument, loop: {forEach: [in.yml, ./in.yml]}, inputs: {document: '{{ loop.value }}'}}
- {name: m, action: ExecuteDocument, inputs: {document: $DIR/in.yml}}`),
			status: "success", record: "build.n=success[success build.a=success][success build.a=success] build.m=success[success build.a=success]", said: "a\na\na\n",
		},
		{
			name: "missing", main: document(executes("n", "none.yml")),
			status: "failed", record: "build.n=failed", message: "none.yml: no such file or directory",
		},
		{
			name: "folder", main: document(executes("n", "..")),
			status: "failed", record: "build.n=failed", message: "is not a regular file",
		},
		{
			name: "C44 itself", main: document(executes("n", "in.yml")), files: map[string]string{"in.yml": document(executes("again", "./x/../in.yml"))},
			status: "failed", record: "build.n=failed[failed build.again=failed]", message: "Document in.yml failed!",
		},
		{
			name: "C44 the top document", main: document(executes("n", "$DIR/doc.yml")),
			status: "failed", record: "build.n=failed", message: "Cyclic document execution detected: ",
		},
		{
			name: "C44 three levels", files: chain, main: chain["d1.yml"],
			status: "success", record: "build.n=success[success build.n=success[success build.n=success[success build.end=success]]]", said: "deep\n",
		},
		{
			name: "C44 four levels", files: chain, main: chain["d0.yml"],
			status: "failed", record: "build.n=failed[failed build.n=failed[failed build.n=failed[failed build.n=failed]]]", message: "Document d1.yml failed!",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tr := tryNested(t, test.files, test.main, func(r *toe.Request) {
				r.Parameters = test.parameters
				place(t, r.WorkingDirectory, map[string]string{"doc.yml": string(r.Documents[0].Data)})
				if err := os.Mkdir(filepath.Join(r.WorkingDirectory, "x"), 0o700); err != nil {
					t.Fatal(err)
				}
			})
			if tr.err != nil || tr.result.Status != test.status {
				t.Fatalf("Run = %+v, %v; want %s\n%s", tr.result, tr.err, test.status, tr.console)
			}
			if got := tr.record(t).outline(); got != test.record {
				t.Errorf("record = %s\nwant     %s", got, test.record)
			}
			if f := tr.result.Failure; (f != nil) != (test.message != "") || f != nil && !strings.Contains(f.Message, test.message) {
				t.Errorf("Failure = %+v, want message %q", f, test.message)
			}
			if said, err := os.ReadFile(filepath.Join(tr.dir, "said")); err != nil && test.said != "" || string(said) != test.said {
				t.Errorf("the steps said %q, %v; want %q", said, err, test.said)
			}
		})
	}
}

// What ends a chain of documents is in the record of the innermost.
func TestC44NestedLimits(t *testing.T) {
	chain := map[string]string{"d4.yml": document(bash("end", "echo")), "self.yml": document(executes("n", "self.yml"))}
	for i := range 4 {
		chain[fmt.Sprintf("d%d.yml", i)] = document(executes("n", fmt.Sprintf("d%d.yml", i+1)))
	}
	for first, want := range map[string]string{
		"d0.yml":   "Maximum document nesting depth (3) exceeded",
		"self.yml": "Cyclic document execution detected: self.yml",
	} {
		tr := tryNested(t, chain, chain[first])
		if !strings.Contains(tr.console, "ExecuteDocument: "+want+"\n") {
			t.Errorf("%s: the console lacks %q:\n%s", first, want, tr.console)
		}
	}
}

func TestNestedFailure(t *testing.T) {
	tr := tryNested(t, map[string]string{"in.yml": document(bash("a", "echo out; echo bad >&2; exit 3"))}, "name: top\n"+document(executes("n", "in.yml")))
	wantInOrder(t, tr.console, "  Document: top", "  Phase: build", "  Step: n", "  Action: ExecuteDocument", "  ErrorMessage: Document in.yml failed!", "  Stderr: bad")
	want := &toe.Failure{
		Document: "doc.yml", Phase: "build", Step: "n", Action: "ExecuteDocument",
		Message: "Document in.yml failed!", Tail: []string{"out", "bad"},
	}
	if diff := cmp.Diff(want, sortTail(tr.result.Failure)); diff != "" {
		t.Errorf("Failure (-want +got):\n%s", diff)
	}
}

func TestNestedBlockedModule(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, map[string]string{"in.yml": document(bash("a", "touch ran") + "\n- {name: r, action: Reboot}")})
	result, err := toe.Run(t.Context(), request(dir, document(executes("n", "in.yml"))), toe.Options{Blocked: []string{"Reboot"}})
	if err != nil || result.Failure == nil || !strings.Contains(result.Failure.Message, "in.yml: Action module 'Reboot' is blocked") {
		t.Errorf("Run = %+v, %v", result, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("a step before the blocked one ran")
	}
}

func TestNestedDisableLogging(t *testing.T) {
	tr := tryNested(t, map[string]string{"in.yml": document(bash("a", "echo sec\"\"ret; echo sec\"\"ret >&2; exit 1"))},
		document("- {name: n, action: ExecuteDocument, disableLogging: true, inputs: {document: in.yml}}"))
	for _, name := range []string{"console.log", "application.log", "detailedoutput.json"} {
		data, err := os.ReadFile(filepath.Join(tr.result.LogURL, name))
		if err != nil || strings.Contains(string(data), "secret") || strings.Contains(string(data), "ret;") {
			t.Errorf("%s, %v:\n%s", name, err, data)
		}
	}
}

func TestNestedReboot(t *testing.T) {
	inner := document(`
- name: s
  action: ExecuteBash
  if: {not: {fileExists: $DIR/mark}}
  inputs: {commands: ['test -f mark && { echo again; exit 0; }', echo lost, touch mark, 'echo "schemaVersion: 0" > inner.yml', exit 194]}
- {name: r, action: Reboot}
- {name: end, action: ExecuteBash, inputs: {commands: ['echo {{ build.s.outputs.stdout }} {{ context:executionId }} >> said']}}`)
	outer := document(`
- {name: before, action: ExecuteBash, inputs: {commands: [echo x >> before]}}
- {name: n, action: ExecuteDocument, if: {not: {fileExists: $DIR/mark}}, inputs: {document: middle.yml}}
- {name: after, action: ExecuteBash, inputs: {commands: ['cat before; echo {{ build.n.outputs.failedStepCount }}']}}`)
	dir := t.TempDir()
	place(t, dir, map[string]string{
		"inner.yml":  strings.ReplaceAll(inner, "$DIR", dir),
		"middle.yml": document(bash("first", "echo first >> said") + "\n" + executes("m", "inner.yml")),
	})
	req := request(dir, strings.ReplaceAll(outer, "$DIR", dir))
	var last *trial
	for i := range 2 { // by exit code, and by the module
		last = again(t, dir, req)
		if last.err != nil || !last.result.Reboot {
			t.Fatalf("run %d = %+v, %v; want a reboot\n%s", i+1, last.result, last.err, last.console)
		}
	}
	if got := last.record(t).outline(); !strings.HasSuffix(got, "build.n=running[running build.first=success build.m=running[running build.s=success build.r=success]]") {
		t.Errorf("record before the second reboot: %s", got)
	}
	last = again(t, dir, req)
	if last.err != nil || last.result.Status != "success" || last.counters() != "3/0/0" {
		t.Fatalf("last run = %+v, %v\n%s", last.result, last.err, last.console)
	}
	record := last.record(t)
	nested := record.Documents[0].Phases[0].Steps[1].DetailedOutput[0].Documents[0].Phases[0].Steps[1].DetailedOutput[0]
	if got, want := record.outline(), "build.before=success build.n=success[success build.first=success build.m=success[success build.s=success build.r=success build.end=success]] build.after=success"; got != want {
		t.Errorf("record = %s\nwant     %s", got, want)
	}
	if got := last.stdout("build.after"); got != "x\n0" {
		t.Errorf("the step after printed %q", got)
	}
	if said, err := os.ReadFile(filepath.Join(dir, "said")); err != nil || string(said) != "first\nagain "+nested.ExecutionID+"\n" {
		t.Errorf("the nested steps said %q, %v", said, err)
	}
	wantInOrder(t, last.console, "Getting reboot signal", "ExitCode 194", "Rebooting the system now", "Recovery completed",
		"Document doc.yml", "Phase build", "Executor: System has rebooted successfully", "Step n", "Document middle.yml", "Step m", "Document inner.yml", "Step s")
	if got := strings.Count(last.console, "Getting reboot signal"); got != 2 {
		t.Errorf("the reboot signal is announced %d times, want once for each reboot", got)
	}
}

func TestNestedRebootInALoop(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, map[string]string{"in.yml": `
schemaVersion: 1.0
parameters: [{Who: {type: string}}]
phases: [{name: build, steps: [
  {name: a, action: ExecuteBash, inputs: {commands: ['echo {{ Who }} >> said']}},
  {name: r, action: Reboot},
  {name: b, action: ExecuteBash, inputs: {commands: ['echo {{ Who }}! >> said']}}]}]
`})
	req := request(dir, document(`
- name: n
  action: ExecuteDocument
  loop: {forEach: [x, y]}
  inputs: {document: in.yml, parameters: [{name: Who, value: '{{ loop.value }}'}]}
- {name: use, action: ExecuteBash, inputs: {commands: ['echo "{{ build.n.outputs.executedStepCount }}"']}}`))
	for i := range 2 {
		if tr := again(t, dir, req); tr.err != nil || !tr.result.Reboot {
			t.Fatalf("run %d = %+v, %v; want a reboot\n%s", i+1, tr.result, tr.err, tr.console)
		}
	}
	last := again(t, dir, req)
	if last.err != nil || last.result.Status != "success" || last.counters() != "2/0/0" {
		t.Fatalf("last run = %+v, %v\n%s", last.result, last.err, last.console)
	}
	if said, err := os.ReadFile(filepath.Join(dir, "said")); err != nil || string(said) != "x\nx!\ny\ny!\n" {
		t.Errorf("the nested steps said %q, %v", said, err)
	}
	one := "[success build.a=success build.r=success build.b=success]"
	if got, want := last.record(t).outline(), "build.n=success"+one+one+" build.use=success"; got != want {
		t.Errorf("record = %s\nwant     %s", got, want)
	}
	if got := last.stdout("build.use"); got != "3\n3" {
		t.Errorf("the merged outputs are %q", got)
	}
}

func TestNestedCancel(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, map[string]string{"in.yml": document("- {name: s, action: ExecuteBash, onFailure: Continue, inputs: {commands: ['echo $$ >> pids', echo ready, sleep 60]}}\n" + bash("next", "touch next"))})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result, err := toe.Run(ctx, request(dir, document(executes("n", "in.yml"))), toe.Options{Observer: func(e toe.Event) {
		if e.Stream == "stdout" {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || result.Status != "failed" {
		t.Errorf("Run = %+v, %v; want failed, and why", result, err)
	}
	wantGone(t, filepath.Join(dir, "pids"))
	tr := &trial{result: result}
	if got, want := tr.record(t).outline(), "build.n=failed[failed build.s=failed]"; got != want {
		t.Errorf("record = %s, want %s", got, want)
	}
}

func TestNestedLogThatCannotBeWritten(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	place(t, dir, map[string]string{"in.yml": document(bash("s", "rm logs/TOE_*/console.log; ln -sf /dev/full $(echo logs/TOE_*)/.detailedoutput.json.new") + "\n" + bash("next", "touch next"))})
	req := request(dir, document("- {name: n, action: ExecuteDocument, onFailure: Ignore, inputs: {document: in.yml}}\n"+bash("last", "touch last")))
	result, err := toe.Run(t.Context(), req, toe.Options{})
	if !errors.Is(err, syscall.ENOSPC) || result.Status != "failed" {
		t.Errorf("Run = %+v, %v; want failed for want of space", result, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "last")); err == nil {
		t.Error("a step ran although the one before was not recorded")
	}
}

// A secret that goes to a nested document comes back after a reboot, and is not
// in the state in between.
func TestNestedSecret(t *testing.T) {
	fake := cloudtest.StartFake(t)
	fake.SetParameter("/app/key", cloudtest.Parameter{Type: "SecureString", Value: "s3cret"})
	dir := t.TempDir()
	place(t, dir, map[string]string{"in.yml": `
schemaVersion: 1.0
parameters: [{Key: {type: string}}, {Who: {type: string}}]
phases: [{name: build, steps: [{name: r, action: Reboot}, {name: w, action: CreateFile, inputs: {path: key, content: '{{ Key }} {{ Who }}'}}]}]
`})
	req := request(dir, document(`
- name: n
  action: ExecuteDocument
  inputs: {document: in.yml, parameters: [{name: Key, value: 'k={{ aws:ssm:/app/key }}'}, {name: Who, value: '{{ context:uuid }}'}]}`))
	req.Environment = fake.Environment
	first := again(t, dir, req)
	if first.err != nil || !first.result.Reboot {
		t.Fatalf("first run = %+v, %v\n%s", first.result, first.err, first.console)
	}
	first.dir = dir
	first.wantHidden(t, "s3cret")
	last := again(t, dir, req)
	last.dir = dir
	if last.err != nil || last.result.Status != "success" {
		t.Errorf("last run = %+v, %v\n%s", last.result, last.err, last.console)
	}
	last.wantHidden(t, "s3cret")
	if got, err := os.ReadFile(filepath.Join(dir, "key")); !strings.HasPrefix(string(got), "k=s3cret ") {
		t.Errorf("file = %q, %v", got, err)
	}
}

func TestNestedDocumentOfABucket(t *testing.T) {
	server := cloudtest.StartS3(t)
	server.Put(t, "in.yml", []byte(document(executes("again", "s3://documents/in.yml"))))
	tr := try(t, environment(server.Environment), document(executes("n", "s3://documents/in.yml")))
	if got, want := tr.record(t).outline(), "build.n=failed[failed build.again=failed]"; got != want {
		t.Errorf("record = %s, want %s\n%s", got, want, tr.console)
	}
	wantInOrder(t, tr.console, "Document s3://documents/in.yml", "Cyclic document execution detected: s3://documents/in.yml")
}

// TestNestedComponents names one component build in two ways.
func TestNestedComponents(t *testing.T) {
	const build = "arn:aws:imagebuilder:eu-west-1:111122223333:component/web/1.2.0/1"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := map[string]any{"component": map[string]string{"arn": build, "data": document(executes("again", strings.Replace(build, "1.2.0/1", "1.2.x", 1)))}}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	tr := try(t, func(r *toe.Request) {
		r.Environment = map[string]string{"AWSTOE_IMAGEBUILDER_ENDPOINT": server.URL, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
	}, document(executes("n", strings.Replace(build, "1.2.0/1", "x.x.x", 1))))
	if got, want := tr.record(t).outline(), "build.n=failed[failed build.again=failed]"; got != want {
		t.Errorf("record = %s, want %s\n%s", got, want, tr.console)
	}
	wantInOrder(t, tr.console, "Document "+build, "Cyclic document execution detected: "+build)
}

// TestNestedComponentsOfTheRun: a build brings the components along.
func TestNestedComponentsOfTheRun(t *testing.T) {
	const open, exact, absent = "arn:aws:imagebuilder:eu-west-1:111122223333:component/inner/1.x.x", "arn:aws:imagebuilder:eu-west-1:111122223333:component/inner/1.2.0/1", "arn:aws:imagebuilder:eu-west-1:111122223333:component/absent/1.0.0"
	execute := func(arn string) string {
		return document("- {name: out, action: ExecuteDocument, inputs: {document: '" + arn + "'}}")
	}
	bring := func(req *toe.Request) {
		req.Components = map[string]toe.Source{open: {Path: exact, Data: []byte(document("- {name: in, action: ExecuteBash, inputs: {commands: [echo hi]}}"))}}
	}
	tr := try(t, bring, execute(open))
	r := tr.record(t)
	if got, want := r.outline(), "build.out=success[success build.in=success]"; got != want {
		t.Errorf("the record has %s, want %s", got, want)
	}
	if got := r.Documents[0].Phases[0].Steps[0].DetailedOutput[0].Documents[0].FilePath; got != exact {
		t.Errorf("the document is recorded as %s, want %s", got, exact)
	}
	tr = try(t, bring, execute(absent))
	if f := tr.result.Failure; f == nil || !strings.Contains(f.Message, absent+" is not part of this run") {
		t.Errorf("the failure of an absent component is %+v", f)
	}
}

func TestNestedTooOften(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, map[string]string{"in.yml": document(bash("s", "echo x >> count"))})
	req := request(dir, document(executes("n", "in.yml")+"\n- {name: r, action: Reboot}\n"+executes("m", "in.yml")))
	if first := again(t, dir, req); !first.result.Reboot {
		t.Fatalf("first run = %+v, %v", first.result, first.err)
	}
	path, err := toe.StateFile(req)
	if err != nil {
		t.Fatal(err)
	}
	state, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(state), `"executed":1,`) {
		t.Fatalf("state = %s, %v", state, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(state), `"executed":1,`, `"executed":100000,`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	last := again(t, dir, req)
	if f := last.result.Failure; f == nil || f.Step != "m" || !strings.Contains(f.Message, "100000 documents") {
		t.Errorf("last run = %+v, failure %+v", last.result, f)
	}
}
