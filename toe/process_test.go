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
	"unicode/utf8"

	"go.uber.org/goleak"

	"ingot.dev/ingot/toe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTimeout(t *testing.T) {
	t.Run("C26 every attempt has its time", func(t *testing.T) {
		start := time.Now()
		tr := try(t, nil, document(`- {name: s, action: ExecuteBash, timeoutSeconds: 1, maxAttempts: 2, inputs: {commands: ['echo $$ >> pids', sleep 30]}}`))
		if took := time.Since(start); took < 2*time.Second || took > 15*time.Second {
			t.Errorf("took %v, want two attempts of a second", took)
		}
		wantTimeout(t, tr)
		wantGone(t, filepath.Join(tr.dir, "pids"))
	})
}

func wantTimeout(t *testing.T, tr *trial) {
	t.Helper()
	if f := tr.result.Failure; tr.err != nil || f == nil || f.Message != "Step timed out after 1 seconds" {
		t.Errorf("Failure = %+v, %v", f, tr.err)
	}
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
	wantTimeout(t, tr) // although the script ended with 0
}

func TestTermIsIgnored(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until the step is killed")
	}
	start := time.Now()
	tr := try(t, nil, document(`
- name: s
  action: ExecuteBash
  timeoutSeconds: 1
  inputs: {commands: ["trap '' TERM", 'echo $$ >> pids', '(echo $BASHPID >> pids; while :; do sleep 60; done) &', 'while :; do sleep 60; done']}`))
	wantTimeout(t, tr)
	wantGone(t, filepath.Join(tr.dir, "pids"))
	if took := time.Since(start); took < 11*time.Second || took > 30*time.Second {
		t.Errorf("took %v, want 10 s between SIGTERM and SIGKILL", took)
	}
}

// A step that forks away: every generation leaves the session, starts the
// next, and ends, so that no process is there for long. It dies out after a
// while, in case that the test is killed.
func TestForkingAway(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc to find processes that left the session")
	}
	tr := try(t, nil, document(`
- name: s
  action: ExecuteBash
  timeoutSeconds: 1
  inputs:
    commands:
      - export generation=0
      - away() { echo $$ >> pids; sleep 0.01; test $((generation++)) -gt 2000 || setsid bash -c away </dev/null >/dev/null 2>&1 & }
      - export -f away
      - away
      - sleep 60`))
	wantTimeout(t, tr)
	if pids, err := os.ReadFile(filepath.Join(tr.dir, "pids")); err != nil || len(strings.Fields(string(pids))) < 4 {
		t.Fatalf("pids: %q, %v; want several generations", pids, err)
	}
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil || links == nil {
		t.Fatalf("processes: %v, %v", links, err)
	}
	for _, link := range links {
		if dir, err := os.Readlink(link); err == nil && dir == tr.dir {
			t.Errorf("%s: a generation is left", filepath.Dir(link))
		}
	}
}

func TestAnyBytesAsOutput(t *testing.T) {
	all := make([]byte, 0, 256)
	for b := range 256 {
		if b != '\n' && b != '\r' { // of lines, see below
			all = append(all, byte(b))
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bytes"), all, 0o600); err != nil {
		t.Fatal(err)
	}
	tr := again(t, dir, request(dir, document(`
- {name: s, action: ExecuteBash, inputs: {commands: [cat bytes, 'printf "\ntwo\r\nthree\rfour"', cat bytes >&2]}}
- {name: use, action: CreateFile, inputs: [{path: copy, content: '{{ build.s.outputs.stdout }}'}]}
- {name: bad, action: ExecuteBash, inputs: {commands: [cat bytes >&2, exit 1]}}`)))
	if tr.err != nil || tr.result.Failure == nil || tr.result.Failure.Step != "bad" {
		t.Fatalf("Run = %+v, %v", tr.result, tr.err)
	}
	for _, line := range []string{"Stdout: " + string(all), "Stderr: " + string(all), "Stdout: two", "Stdout: three\rfour"} {
		if !strings.Contains(tr.console, "CmdExecution: "+line+"\n") {
			t.Errorf("console.log lacks %q", line)
		}
	}
	want := string(all) + "\ntwo\nthree\rfour"
	if got, err := os.ReadFile(filepath.Join(dir, "copy")); err != nil || string(got) != want {
		t.Errorf("the next step got %q, %v; want %q", got, err, want)
	}
	if out := tr.stdout("build.s"); out != string([]rune(want)) { // JSON is UTF-8
		t.Errorf("outputs in the record = %q", out)
	}
	for _, line := range tr.result.Failure.Tail {
		if !utf8.ValidString(line) {
			t.Errorf("Failure.Tail has %q, want UTF-8", line)
		}
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
