//go:build unix

package toe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ingot.dev/ingot/toe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTimeout(t *testing.T) { // C26
	start := time.Now()
	tr := try(t, nil, document(`- {name: s, action: ExecuteBash, timeoutSeconds: 1, maxAttempts: 2, inputs: {commands: ['echo $$ >> pids', sleep 30]}}`))
	if took := time.Since(start); took < 2*time.Second || took > 15*time.Second {
		t.Errorf("took %v, want two attempts of a second", took)
	}
	if f := tr.result.Failure; f == nil || f.Message != "Step timed out after 1 seconds" {
		t.Errorf("Failure = %+v", f)
	}
	wantGone(t, filepath.Join(tr.dir, "pids"))
}

// wantGone fails if a process lives whose id is in the file.
func wantGone(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
}

// alive does not count zombies: their parent has not looked yet.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err != nil || !bytes.Contains(status, []byte("\nState:\tZ"))
}

func TestTimeoutEndsTheWholeTree(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc to find processes that left the session")
	}
	tr := try(t, nil, document(`
- name: s
  action: ExecuteBash
  timeoutSeconds: 1
  inputs:
    commands:
      - sleep 60 & echo $! >> pids                                # child
      - (sleep 60 & echo $! >> pids)                              # orphan in the session
      - setsid sh -c 'echo $$ >> pids; exec sleep 60' &           # child in another session
      - setsid sh -c '(sleep 60 & echo $! >> pids)' </dev/null    # daemon
      - echo $$ >> pids
      - wait`))
	if tr.result.Status != "failed" {
		t.Errorf("Run = %+v", tr.result)
	}
	data, err := os.ReadFile(filepath.Join(tr.dir, "pids"))
	if err != nil || len(strings.Fields(string(data))) != 5 {
		t.Fatalf("pids: %q, %v; want 5", data, err)
	}
	wantGone(t, filepath.Join(tr.dir, "pids"))
}

func TestTermIsHeard(t *testing.T) {
	tr := try(t, nil, document(`
- name: s
  action: ExecuteBash
  timeoutSeconds: 1
  inputs: {commands: ["trap 'echo cleaned > mark; exit 0' TERM", 'while :; do read -t 0.05 <> <(:); done']}`))
	if data, err := os.ReadFile(filepath.Join(tr.dir, "mark")); err != nil || string(data) != "cleaned\n" {
		t.Errorf("mark = %q, %v: the script had no chance to clean up", data, err)
	}
	if f := tr.result.Failure; f == nil || f.Message != "Step timed out after 1 seconds" {
		t.Errorf("Failure = %+v, want the timeout although the script ended with 0", f)
	}
}

func TestCancel(t *testing.T) {
	dir := t.TempDir()
	req := request(dir, document(`
- {name: s, action: ExecuteBash, maxAttempts: 3, onFailure: Continue, inputs: {commands: ['echo $$ >> pids', echo ready, sleep 60]}}
- {name: next, action: ExecuteBash, inputs: {commands: [touch next]}}`))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	result, err := toe.Run(ctx, req, toe.Options{Observer: func(e toe.Event) {
		if e.Stream == "stdout" {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || result.Status != "failed" {
		t.Errorf("Run = %+v, %v; want failed, and why", result, err)
	}
	wantGone(t, filepath.Join(dir, "pids"))
	if _, err := os.Stat(filepath.Join(dir, "next")); err == nil {
		t.Error("the next step ran")
	}
	record, err := os.ReadFile(filepath.Join(result.LogURL, "detailedoutput.json"))
	if err != nil || bytes.Contains(record, []byte("running")) {
		t.Errorf("detailedoutput.json leaves the run open: %s, %v", record, err)
	}
}

func TestBackgroundChildOutlivesItsStep(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the pipes of the child")
	}
	start := time.Now()
	tr := try(t, nil, document(`- {name: s, action: ExecuteBash, inputs: {commands: ['sleep 60 & echo $!']}}`))
	if took := time.Since(start); took < 4*time.Second || took > 20*time.Second {
		t.Errorf("took %v, want the pipes cut off after 5 s", took)
	}
	pid, err := strconv.Atoi(tr.stdout("build.s"))
	if err != nil || tr.result.Status != "success" {
		t.Fatalf("Run = %+v, pid %v", tr.result, err)
	}
	if !alive(pid) {
		t.Error("the child was ended with its step")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

func TestMuchOutput(t *testing.T) {
	const mib = 64
	if testing.Short() {
		t.Skip("writes a large log")
	}
	tr := try(t, nil, document(fmt.Sprintf(`
- {name: s, action: ExecuteBash, inputs: {commands: ['head -c %dM /dev/zero | tr "\0" "x" | fold -w 1000', 'head -c 20M /dev/zero | tr "\0" "y"']}}
- {name: use, action: CreateFile, inputs: [{path: kept, content: 'z{{ build.s.outputs.stdout }}'}]}`, mib)))
	if tr.result.Status != "success" {
		t.Fatalf("Run = %+v, %v", tr.result, tr.err)
	}
	kept, err := os.ReadFile(filepath.Join(tr.dir, "kept"))
	if err != nil || len(kept) != 1+8<<20 || strings.Trim(string(kept), "y") != "z" {
		t.Errorf("%d bytes were kept, %v; want the last 8 MiB", len(kept)-1, err)
	}
	if out := tr.stdout("build.s"); len(out) != 1<<20 || strings.Trim(out, "y") != "" {
		t.Errorf("detailedoutput.json has %d bytes of it, want the last 1 MiB", len(out))
	}
	for _, warning := range []string{"only the last 8388608 bytes", "detailedoutput.json has only the last 1048576 bytes of a text of 8388608"} {
		if !strings.Contains(tr.console, warning) {
			t.Errorf("console.log does not warn: %q", warning)
		}
	}
	if got := strings.Count(tr.console, "x") / (1 << 20); got != mib {
		t.Errorf("console.log has %d MiB of the output, want %d", got, mib)
	}
	if got := strings.Count(tr.console, "y") >> 20; got != 20 {
		t.Errorf("console.log has %d MiB of the long line, want 20", got)
	}
}

func TestLogThatCannotBeWritten(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	req := request(dir, document(`
- {name: s, action: ExecuteBash, inputs: {commands: [ln -sf /dev/full $(echo logs/TOE_*)/.detailedoutput.json.new]}}
- {name: next, action: ExecuteBash, inputs: {commands: [touch next]}}`))
	result, err := toe.Run(context.Background(), req, toe.Options{})
	if !errors.Is(err, syscall.ENOSPC) || result.Status != "failed" {
		t.Errorf("Run = %+v, %v; want failed for want of space", result, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "next")); err == nil {
		t.Error("a step ran although the one before was not recorded")
	}
}

func TestStepsWithoutABash(t *testing.T) {
	t.Setenv("PATH", "/nowhere")
	tr := try(t, nil, document(`
- {name: s, action: ExecuteBash, onFailure: Ignore, inputs: {commands: [echo]}}
- {name: f, action: CreateFile, inputs: [{path: f, content: x}]}`))
	if tr.result.Status != "successWithIgnoredFailure" || !strings.Contains(tr.steps["build.s"].FailureMessage, "bash is not in PATH") {
		t.Errorf("Run = %+v, step %+v", tr.result, tr.steps["build.s"])
	}
}

func TestNoScriptIsLeft(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	try(t, nil, document(`
- {name: a, action: ExecuteBash, inputs: {commands: ['basename $0', 'stat -c %a $0']}}
- {name: b, action: ExecuteBash, onFailure: Continue, inputs: {commands: [exit 1]}}
- {name: c, action: ExecuteBash, onFailure: Continue, timeoutSeconds: 1, inputs: {commands: [sleep 9]}}`))
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("left in the temporary directory: %v, %v", left, err)
	}
}
