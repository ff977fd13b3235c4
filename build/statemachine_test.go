package build

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ingot.dev/ingot/model"
)

const machineARN = "arn:aws:states:eu-test-1:123456789012:stateMachine:check"

var machineDocument = `steps:
  - name: Check
    action: ExecuteStateMachine
    timeoutSeconds: 3
    inputs: {stateMachineArn: "` + machineARN + `", input: '{"a": 1}'}
`

func sh(script string) StateMachine { return RunStateMachine([]string{"/bin/sh", "-c", script}) }

// TestStateMachine executes what stands in for a state machine, of both kinds.
func TestStateMachine(t *testing.T) {
	answer := func(status int, text string) StateMachine {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var call StateMachineCall
			if err := json.NewDecoder(r.Body).Decode(&call); err != nil || call.StateMachine != machineARN || call.Name == "" || string(call.Input) != `{"a":1}` {
				t.Errorf("the endpoint was sent %+v (%v)", call, err)
			}
			w.WriteHeader(status)
			fmt.Fprint(w, text)
		}))
		t.Cleanup(s.Close)
		return PostStateMachine(s.URL)
	}
	long := strconv.Itoa(maxStateMachineOutput + 1)
	for name, c := range map[string]struct {
		machine StateMachine
		output  string // of the step; empty: it fails
		message string // part of the failure
	}{
		"endpoint":                {answer(200, `{"ok":true}`), `{"ok":true}`, ""},
		"endpoint fails":          {answer(500, "no disk"), "", "500 Internal Server Error: no disk"},
		"endpoint without JSON":   {answer(200, "ok"), "", "must be JSON"},
		"command":                 {sh(`test "$(cat)" = '{"a": 1}' && echo "{\"of\": \"$INGOT_STATE_MACHINE\"}"`), `{"of": "` + machineARN + `"}`, ""},
		"command without output":  {sh("true"), "{}", ""},
		"command fails":           {sh("echo {}; echo no disk >&2; exit 3"), "", "exit status 3: no disk"},
		"command without JSON":    {sh("echo ok"), "", "must be JSON"},
		"command says too much":   {sh("head -c " + long + " /dev/zero | tr '\\0' 1"), "", "must be JSON of at most"},
		"command that is missing": {RunStateMachine([]string{"/nonexistent"}), "", "no such file"},
		"command takes too long":  {sh("sleep 1000 & sleep 1000"), "", "Step timed out"},
		"none":                    {nil, "", "stateMachineCommand"},
	} {
		t.Run(name, func(t *testing.T) {
			l, d := fakeLab(t, func(cfg *Config) { cfg.StateMachine = c.machine })
			arn := l.image("web", with(runs(l.workflowOf(model.WorkflowTypeTest, "checked", machineDocument))))
			image := l.build(arn)
			s := l.step(arn, keyTest, "Check")
			l.wantClean(d, 0)
			if c.output == "" {
				l.wantStatus(image, model.ImageStatusFailed)
				if !strings.Contains(s.Message, c.message) {
					t.Errorf("the message is %q, want one with %q", s.Message, c.message)
				}
				return
			}
			l.wantStatus(image, model.ImageStatusAvailable)
			var got struct{ Output, ExecutionArn string }
			if err := json.Unmarshal([]byte(s.Outputs), &got); err != nil || got.Output != c.output || !strings.HasPrefix(got.ExecutionArn, machineARN+":") {
				t.Errorf("the outputs are %s (%v), want the output %s", s.Outputs, err, c.output)
			}
		})
	}
}

// TestStateMachineAgain: a command that a killed server cut off is ended with
// all that it started, and runs again under the same name.
func TestStateMachineAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "names")
	pids := file + ".pids"
	machine := sh(`echo "$INGOT_EXECUTION" >> ` + file + `
		if test "$(wc -l < ` + file + `)" = 1; then sleep 1000 & echo $! > ` + pids + `.new; mv ` + pids + `.new ` + pids + `; wait; fi`)
	l, _ := fakeLab(t, func(c *Config) { c.StateMachine = machine })
	document := strings.Replace(machineDocument, "timeoutSeconds: 3", "timeoutSeconds: 600", 1)
	arn := l.image("web", with(runs(l.workflowOf(model.WorkflowTypeTest, "checked", document))))
	l.check(l.builder.StartImage(t.Context(), arn))
	child := awaitPID(t, pids)
	l.kill()
	if !ends(t, child) {
		t.Errorf("process %d of the command goes on without the server", child)
	}
	l.start()
	l.wantStatus(l.await(arn), model.ImageStatusAvailable)
	data, err := os.ReadFile(file)
	l.check(err)
	if names := strings.Fields(string(data)); len(names) != 2 || names[0] != names[1] {
		t.Errorf("the executions were %q, want the same name twice", names)
	}
}

// awaitPID reads a file when it is there.
func awaitPID(t *testing.T, file string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if data, err := os.ReadFile(file); err == nil {
			pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
		if err := pause(ctx); err != nil {
			t.Fatal("the command did not start")
		}
	}
}

// ends waits for the end of a process that nobody may have reaped.
func ends(t *testing.T, pid int) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") || syscall.Kill(pid, 0) != nil {
			return true
		}
		if pause(ctx) != nil {
			return false
		}
	}
}
