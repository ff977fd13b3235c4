package command

import (
	"strings"
	"testing"
)

// The command as Windows runs it: a document by an absolute path, a parameter,
// a restart that the caller performs.
func TestWindowsRun(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	documents := map[string]string{"d.yml": `
schemaVersion: 1.0
parameters: [{Who: {type: string}}]
phases:
  - name: build
    steps:
      - {name: again, action: ExecuteBinary, inputs: {path: cmd, arguments: [/c, 'if not exist mark (echo x > mark & exit 3010)']}}
      - {name: say, action: ExecuteBinary, inputs: {path: cmd, arguments: [/c, 'echo hello {{ Who }}']}}
`}
	args := []string{"run", "-d", dir + `\d.yml`, "--parameters", "Who=you", "--log-directory", "logs", "-t"}
	if status, stdout, stderr := awstoe(t, documents, args...); status != 3010 || strings.Contains(stdout, "executionId") {
		t.Errorf("first run: exit status %d, want 3010 without a result:\n%s%s", status, stdout, stderr)
	}
	status, stdout, stderr := awstoe(t, documents, args...)
	if status != 0 || !strings.Contains(stdout, "CmdExecution: Stdout: hello you") {
		t.Errorf("second run: exit status %d, want 0 and a greeting:\n%s%s", status, stdout, stderr)
	}
}
