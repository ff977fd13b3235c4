package api_test

import (
	"bytes"
	"strings"
	"testing"

	"ingot.dev/ingot/toe/command"
)

// TestExecutorReadsComponents runs the executor's command on components of
// this server.
func TestExecutorReadsComponents(t *testing.T) {
	s := start(t)
	const say = `{schemaVersion: 1.0, phases: [{name: build, steps: [{name: s, action: ExecuteBash, inputs: {commands: [echo %]}}]}]}`
	for _, version := range []string{"1.0.0", "1.2.0"} {
		s.must("PUT", "/CreateComponent", component("say", version, strings.Replace(say, "%", "version "+version, 1)))
	}
	s.must("PUT", "/CreateComponent", component("nest", "1.0.0",
		`{schemaVersion: 1.0, phases: [{name: build, steps: [{name: s, action: ExecuteDocument, inputs: {document: "`+own+`component/say/1.0.0"}}]}]}`))
	for name, value := range map[string]string{
		"AWSTOE_IMAGEBUILDER_ENDPOINT": s.URL, "AWS_ACCESS_KEY_ID": keyID, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "eu-west-1",
	} {
		t.Setenv(name, value)
	}
	for _, tt := range []struct {
		arn    string
		status int
		parts  []string // of the output
	}{
		{own + "component/say/1.0.0/1", 0, []string{"Document " + own + "component/say/1.0.0/1", "Stdout: version 1.0.0"}},
		{own + "component/say/x.x.x", 0, []string{"Document " + own + "component/say/1.2.0/1", "Stdout: version 1.2.0"}},
		{own + "component/nest/1.0.0", 0, []string{"Document " + own + "component/nest/1.0.0/1", "Document " + own + "component/say/1.0.0/1", "Stdout: version 1.0.0"}},
		{own + "component/none/1.0.0", 1, []string{"document " + own + "component/none/1.0.0: reading component", "ResourceNotFoundException"}},
		{own + "image/say/1.0.0", 1, []string{"is not the ARN of a component"}},
	} {
		t.Run(tt.arn[len(own):], func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := command.Main(t.Context(), "awstoe", "test", []string{"run", "-t", "-l", t.TempDir(), "-d", tt.arn}, &stdout, &stderr)
			output := stdout.String() + stderr.String()
			if status != tt.status {
				t.Errorf("exit status %d, want %d\n%s", status, tt.status, output)
			}
			for _, part := range tt.parts {
				if !strings.Contains(output, part) {
					t.Errorf("the output lacks %q:\n%s", part, output)
				}
			}
		})
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	var stdout, stderr bytes.Buffer
	status := command.Main(t.Context(), "awstoe", "test", []string{"run", "-d", own + "component/say/1.0.0"}, &stdout, &stderr)
	if status != 1 || !strings.Contains(stdout.String(), "InvalidSignatureException") {
		t.Errorf("with a wrong secret: exit status %d\n%s%s", status, stdout.String(), stderr.String())
	}
}
