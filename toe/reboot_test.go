package toe_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/ingot/toe"
)

func request(dir string, doc string) toe.Request {
	return toe.Request{
		ExecutionID: "run-1", LogDirectory: filepath.Join(dir, "logs"), WorkingDirectory: dir, HandOffReboot: true,
		Documents: []toe.Source{{Path: "doc.yml", Data: []byte(doc)}},
	}
}

func TestC41RebootByExitCode(t *testing.T) {
	dir := t.TempDir()
	doc := document(`
- name: s
  action: ExecuteBash
  maxAttempts: 2
  if: {not: {fileExists: $DIR/mark}}
  inputs: {commands: ['test -f mark && { echo again; exit 0; }', echo lost, touch mark, exit 194]}
- {name: t, action: ExecuteBash, inputs: {commands: ['echo end {{ build.s.outputs.stdout }}']}}`)
	doc = strings.ReplaceAll(doc, "$DIR", dir)
	first := again(t, dir, request(dir, doc))
	if first.err != nil || !first.result.Reboot {
		t.Fatalf("first run = %+v, %v; want a reboot", first.result, first.err)
	}
	info, err := os.Stat(filepath.Join(dir, "logs", ".state", "state.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("state file: %v, %v; want mode 0600", info, err)
	}
	// The documents of the command line are not started: the state has them.
	second := again(t, dir, request(dir, "not: a document"))
	if second.err != nil || second.result.Status != "success" || second.counters() != "2/0/0" {
		t.Fatalf("second run = %+v, %v", second.result, second.err)
	}
	if got := second.stdout("build.t"); got != "end again" {
		t.Errorf("stdout of t = %q, want what s printed after the reboot", got)
	}
	if first.result.LogURL != second.result.LogURL {
		t.Errorf("log folders %s and %s, want one", first.result.LogURL, second.result.LogURL)
	}
	wantInOrder(t, second.console, "Getting reboot signal", "ExitCode 194", "Rebooting the system now",
		"Recovery completed for detailed output.", "Document doc.yml", "Phase build", "Executor: System has rebooted successfully", "Step s")
	if _, err := os.Stat(filepath.Join(dir, "logs", ".state")); !os.IsNotExist(err) {
		t.Errorf("state is still there: %v", err)
	}
}

func wantInOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		_, after, found := strings.Cut(rest, p)
		if !found {
			t.Fatalf("%q is missing or out of order in:\n%s", p, text)
		}
		rest = after
	}
}

func TestC42RebootModule(t *testing.T) {
	dir := t.TempDir()
	doc := document(`
- {name: before, action: ExecuteBash, inputs: {commands: [echo x >> before]}}
- {name: r, action: Reboot}
- {name: after, action: ExecuteBash, inputs: {commands: [cat before]}}`)
	if first := again(t, dir, request(dir, doc)); !first.result.Reboot {
		t.Fatalf("first run = %+v, %v; want a reboot", first.result, first.err)
	}
	second := again(t, dir, request(dir, doc))
	if second.result.Status != "success" || second.counters() != "3/0/0" || second.steps["build.r"].Status != "success" {
		t.Errorf("second run = %+v, %+v", second.result, second.steps)
	}
	if got := second.stdout("build.after"); got != "x" {
		t.Errorf("the step before ran again: %q", got)
	}
}

func TestC42BlockedReboot(t *testing.T) {
	dir := t.TempDir()
	doc := document(`- {name: before, action: ExecuteBash, inputs: {commands: [touch ran]}}
- {name: r, action: Reboot}`)
	result, err := toe.Run(t.Context(), request(dir, doc), toe.Options{Blocked: []string{"Reboot"}})
	if err != nil || result.Status != "failed" || result.ExecutedStepCount != 0 || !strings.Contains(result.FailureMessage, "Action module 'Reboot' is blocked") {
		t.Errorf("Run = %+v, %v", result, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("a step ran")
	}
}

func TestRebootAsLastStep(t *testing.T) {
	dir := t.TempDir()
	doc := document(`- {name: r, action: Reboot}`) + "- {name: validate, steps: [{name: v, action: ExecuteBash, inputs: {commands: [echo]}}]}\n"
	again(t, dir, request(dir, doc))
	second := again(t, dir, request(dir, doc))
	if second.result.Status != "success" || second.counters() != "2/0/0" {
		t.Errorf("second run = %+v, %v", second.result, second.err)
	}
}

func TestFailuresSurviveReboot(t *testing.T) {
	dir := t.TempDir()
	doc := document(`
- {name: a, action: ExecuteBash, onFailure: Continue, inputs: {commands: [exit 7]}}
- {name: r, action: Reboot}`)
	again(t, dir, request(dir, doc))
	second := again(t, dir, request(dir, doc))
	f := second.result.Failure
	if second.result.Status != "failed" || second.counters() != "2/1/0" || f == nil || f.Step != "a" || *f.ExitCode != 7 {
		t.Errorf("second run = %+v, failure %+v", second.result, f)
	}
}

func TestRebootLimit(t *testing.T) {
	dir := t.TempDir()
	doc := document(`- {name: s, action: ExecuteBash, maxAttempts: 3, inputs: {commands: [echo x >> count, exit 194]}}`)
	for i := range 15 {
		if tr := again(t, dir, request(dir, doc)); !tr.result.Reboot {
			t.Fatalf("run %d = %+v, %v; want a reboot", i+1, tr.result, tr.err)
		}
	}
	last := again(t, dir, request(dir, doc))
	if last.result.Reboot || last.result.Failure == nil || last.result.Failure.Message != "Reboot limit (15) exceeded" {
		t.Errorf("run 16 = %+v, %v", last.result, last.err)
	}
	count, err := os.ReadFile(filepath.Join(dir, "count"))
	if err != nil || strings.Count(string(count), "x") != 16 {
		t.Errorf("the step ran %d times, %v; want 16", strings.Count(string(count), "x"), err)
	}
}

func TestUnreadableState(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "logs", ".state", "state.json")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"{", `{"version": 99}`} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		tr := again(t, dir, request(dir, document(`- {name: s, action: Reboot}`)))
		if tr.err == nil || !strings.Contains(tr.err.Error(), file) && !strings.Contains(tr.err.Error(), filepath.Dir(file)) {
			t.Errorf("Run with state %q: %v, want an error that names the file", content, tr.err)
		}
		if _, err := os.Stat(file); err != nil {
			t.Errorf("the state was removed: %v", err)
		}
	}
}

// TestRestart pauses a run that restarts its machine itself.
func TestRestart(t *testing.T) {
	t.Setenv("PATH", "/opt/of-the-test:"+os.Getenv("PATH"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
	dir := t.TempDir()
	req := request(dir, document(`
- {name: r, action: Reboot}
- {name: path, action: ExecuteBash, inputs: {commands: ['echo $PATH']}}`))
	req.HandOffReboot = false
	restarted := 0
	result, err := toe.Run(t.Context(), req, toe.Options{Restart: func(_ context.Context, req toe.Request) error {
		restarted++
		path, err := toe.StateFile(req)
		if err != nil {
			return err
		}
		if state, err := os.ReadFile(path); err != nil || strings.Contains(string(state), "s3cret") {
			t.Errorf("state at the restart: %v, %s; want it without the key", err, state)
		}
		return nil
	}})
	if err != nil || !result.Reboot || restarted != 1 {
		t.Fatalf("Run = %+v, %v, restarted %d times", result, err, restarted)
	}
	t.Setenv("PATH", "/usr/bin:/bin") // as cron has it
	if last := again(t, dir, req); last.result.Status != "success" || !strings.HasPrefix(last.stdout("build.path"), "/opt/of-the-test:") {
		t.Errorf("second run = %+v, %v, PATH %s", last.result, last.err, last.stdout("build.path"))
	}
}

func TestRestartThatFails(t *testing.T) {
	dir := t.TempDir()
	req := request(dir, document("- {name: r, action: Reboot}\n- {name: next, action: ExecuteBash, inputs: {commands: [touch next]}}"))
	req.HandOffReboot = false
	refused := errors.New("not permitted")
	result, err := toe.Run(t.Context(), req, toe.Options{Restart: func(context.Context, toe.Request) error { return refused }})
	if !errors.Is(err, refused) || result.Status != "failed" || result.Reboot || !strings.Contains(result.FailureMessage, "restarting the machine: not permitted") {
		t.Errorf("Run = %+v, %v", result, err)
	}
	if again, err := toe.Interrupted(req); again || err != nil {
		t.Errorf("Interrupted = %v, %v; want the run to be over", again, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "next")); err == nil {
		t.Error("the next step ran")
	}
}

func TestNobodyRestarts(t *testing.T) {
	tr := try(t, nil, document(`- {name: s, action: ExecuteBash, inputs: {commands: [exit 194]}}`))
	if tr.result.Reboot || tr.result.Failure == nil || !strings.Contains(tr.result.Failure.Message, "TOE_REBOOT_HANDOFF=1") {
		t.Errorf("Run = %+v, %v", tr.result, tr.err)
	}
}
