package toe_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/ingot/toe"
	"ingot.dev/ingot/toe/cloud/cloudtest"
)

// wantHidden looks for a secret in everything that a run has written or told.
func (tr *trial) wantHidden(t *testing.T, secret string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(tr.dir, "logs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), secret) {
			t.Errorf("%s has the secret:\n%s", path, data)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	told, err := json.Marshal([]any{tr.result, tr.events})
	if err != nil || strings.Contains(string(told), secret) {
		t.Errorf("result or events have the secret (%v):\n%s", err, told)
	}
}

func TestC53SecureString(t *testing.T) {
	fake := cloudtest.StartFake(t)
	fake.SetParameter("/app/key", cloudtest.Parameter{Type: "SecureString", Value: "s3cret"})
	fake.SetParameter("/lines", cloudtest.Parameter{Type: "String", Value: "a\nb"})
	fake.SetParameter("name-of-key", cloudtest.Parameter{Type: "String", Value: "/app/key"})
	const constants = "constants: [{Key: {type: string, value: /app/key}}]\n"
	const steps = `
- name: count
  action: ExecuteBash
  inputs: {commands: ["printf %s '{{ aws:ssm:/app/key }}' | wc -c"]}
- name: file
  action: CreateFile
  inputs: {path: key, content: '{{ aws:ssm:resolve(Key) }} {{ aws:ssm:resolve(aws:ssm:name-of-key) }}'}
- name: read
  action: ReadFile
  inputs: {path: key}
- name: loop
  action: ExecuteBash
  loop: {forEach: {list: 'x,{{ aws:ssm:/app/key }}'}}
  if: {stringEquals: '{{ aws:ssm:/app/key }}', value: S3cret}
  inputs: {commands: ['echo {{ loop.value }}', 'echo {{ loop.value }} >&2', 'test {{ loop.value }} = x']}
  onFailure: Continue
- name: missing
  action: ReadFile
  inputs: {path: '{{ aws:ssm:/app/key }}/none'}
  onFailure: Continue
- name: lines
  action: ExecuteBash
  inputs: {commands: ['echo {{ aws:ssm:/lines }}']}
  onFailure: Continue
`
	tr := try(t, environment(fake.Environment), constants+document(steps))
	if tr.err != nil || tr.counters() != "6/3/0" || tr.stdout("build.count") != "6" {
		t.Errorf("Run = %s, error %v, count %q; want 6/3/0, 6\n%s", tr.counters(), tr.err, tr.stdout("build.count"), tr.console)
	}
	if data, err := os.ReadFile(filepath.Join(tr.dir, "key")); string(data) != "s3cret s3cret" {
		t.Errorf("file = %q, %v; want the secret twice", data, err)
	}
	if want := `[{"content":"***** *****"}]`; tr.steps["build.read"].Outputs != want {
		t.Errorf("outputs = %s, want %s", tr.steps["build.read"].Outputs, want)
	}
	if got := tr.steps["build.lines"].FailureMessage; !strings.Contains(got, "more than one line") {
		t.Errorf("several lines: failure %q", got)
	}
	tr.wantHidden(t, "s3cret")
}

// A value is fetched once in an attempt, and again in the next one.
func TestParameterIsFetchedAgain(t *testing.T) {
	fake := cloudtest.StartFake(t)
	dir := t.TempDir()
	req := toe.Request{LogDirectory: dir, WorkingDirectory: dir, Environment: fake.Environment}
	req.Documents = []toe.Source{{Path: "doc.yml", Data: []byte(document(`
- name: s
  action: ExecuteBash
  maxAttempts: 2
  loop: {forEach: [a, b]}
  inputs: {commands: ['echo {{ aws:ssm:/key }} {{ aws:ssm:/key }} > {{ loop.value }}']}`))}}
	const failed = "Step s attempt 1 of 2 failed: Iteration(s) [0] of the loop failed"
	result, err := toe.Run(t.Context(), req, toe.Options{Observer: func(e toe.Event) {
		if e.Message == failed {
			fake.SetParameter("/key", cloudtest.Parameter{Type: "StringList", Value: "x,y"})
		}
	}})
	if err != nil || result.Status != "success" || fake.Requests("GetParameter") != 2 {
		t.Errorf("Run = %+v, %v after %d requests, want success after 2", result, err, fake.Requests("GetParameter"))
	}
	if got, err := os.ReadFile(filepath.Join(dir, "b")); string(got) != "x,y x,y\n" {
		t.Errorf("file = %q, %v", got, err)
	}
}

// In a build, the image says where the machine belongs.
func TestIdentityOfABuild(t *testing.T) {
	tr := try(t, func(r *toe.Request) {
		r.Environment = map[string]string{"IMAGE_BUILD_VERSION_ARN": "arn:aws:imagebuilder:eu-north-1:123456789012:image/web/1.0.0/1"}
	}, document("- {name: s, action: ExecuteBash, inputs: {commands: ['echo {{ context:accountId }} {{ context:region }}']}}"))
	if got, want := tr.stdout("build.s"), "123456789012 eu-north-1"; got != want {
		t.Errorf("stdout = %q, want %q", got, want)
	}
}
