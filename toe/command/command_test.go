package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe"
)

// awstoe runs the command in the working directory, after writing documents
// there, and returns its exit status and output.
func awstoe(t *testing.T, documents map[string]string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	for name, text := range documents {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TOE_REBOOT_HANDOFF", "1") // never restart the machine of the tests
	var out, errs bytes.Buffer
	status = Main(t.Context(), "awstoe", "1.2.3", args, &out, &errs)
	return status, out.String(), errs.String()
}

const (
	sayHi     = `{schemaVersion: 1.0, phases: [{name: build, steps: [{name: s, action: ExecuteBash, inputs: {commands: [echo hi]}}]}]}`
	fail      = `{schemaVersion: 1.0, phases: [{name: build, steps: [{name: s, action: ExecuteBash, inputs: {commands: [exit 3]}}]}]}`
	rebootDoc = `{schemaVersion: 1.0, phases: [{name: build, steps: [{name: r, action: Reboot}, {name: s, action: ExecuteBash, inputs: {commands: [echo hi]}}]}]}`
)

func TestRun(t *testing.T) {
	documents := map[string]string{
		"hi.yml": sayHi, "fail.yml": fail, "reboot.yml": rebootDoc,
		"config.json": `{"documents": [{"path": "hi.yml", "parameters": []}], "logS3BucketName": "", "phasez": 1}`,
		"trace.json":  `{"documents": [{"path": "hi.yml"}], "phases": "none", "trace": true, "executionid": 7}`,
		"twice.json":  `{"documents": [{"path": "hi.yml", "parameters": [{"name": "Abc", "value": "1"}, {"name": "Abc", "value": "2"}]}]}`,
		"empty.json":  `{"documents": [{"parameters": []}]}`,
		"type.json":   `{"documents": [{"path": "hi.yml"}], "trace": "yes"}`,
	}
	tests := []struct {
		name   string
		args   string
		code   int
		status string // of the JSON result; empty: no result is printed
		part   string // of standard output or error
	}{
		{"success", "run -d hi.yml", 0, "success", ""},
		{"alias of the option", "run --document=hi.yml", 0, "success", ""},
		{"trace", "run -d hi.yml -t", 0, "", "CmdExecution: Stdout: hi\n"},
		{"two documents", "run -d hi.yml,hi.yml", 0, "success", `"executedStepCount": 2`},
		{"failure", "run -d fail.yml", 1, "failed", `"failureMessage": "Document fail.yml failed!"`},
		{"no such phase", "run -d fail.yml --phases test,deploy", 0, "success", ""},
		{"misspelt key", "run --config config.json", 0, "success", `unknown key "phasez" is ignored; did you mean 'phases'?`},
		{"option over configuration", "run --config trace.json -p build --trace=false", 0, "success", `"executedStepCount": 1`},
		{"parameter given twice", "run -c twice.json", 1, "", "configuration twice.json: documents[0].parameters[1]: Abc is given twice"},
		{"document without path", "run -c empty.json", 1, "", "configuration empty.json: documents[0]: path is missing"},
		{"wrong type", "run -c type.json", 1, "", "trace of type bool"},
		{"prefix without bucket", "run -d hi.yml -k prefix", 0, "success", "--log-s3-bucket-name is missing"},
		{"missing configuration", "run -c none.json", 1, "", "reading configuration: open none.json"},
		{"configuration and parameters", "run --config config.json --parameters Abc=d", 1, "", "leave out --config"},
		{"nothing to run", "run", 1, "", "exactly one of --documents and --config"},
		{"both", "run -d hi.yml -c config.json", 1, "", "exactly one of --documents and --config"},
		{"missing document", "run -d none.yml", 1, "failed", "no such file"},
		{"all missing documents", "run -d hi.yml,none.yml,gone.yml", 1, "failed", `document none.yml: open none.yml: no such file or directory\ndocument gone.yml`},
		{"ARN", "run -d arn:aws:imagebuilder:x", 1, "failed", "document arn:aws:imagebuilder:x: "},
		{"not an option", "run hi.yml", 1, "", `"hi.yml" is no option; awstoe run --help lists them`},
		{"unknown option", "run -d hi.yml --none", 1, "", "unknown flag: --none"},
		{"blocked module", "run -d reboot.yml --blocked-action-modules Reboot", 1, "failed", "Action module 'Reboot' is blocked"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			code, stdout, stderr := awstoe(t, documents, strings.Fields(test.args)...)
			if code != test.code || !strings.Contains(stdout+stderr, test.part) {
				t.Errorf("exit status %d, want %d, and %q in:\n%s%s", code, test.code, test.part, stdout, stderr)
			}
			var result toe.Result
			if err := json.Unmarshal([]byte(stdout), &result); test.status != "" && (err != nil || result.Status != test.status) {
				t.Errorf("result %v, want status %s:\n%s", err, test.status, stdout)
			}
			if _, err := os.Stat(".state"); err == nil {
				t.Error("state is left")
			}
		})
	}
}

func TestReboot(t *testing.T) {
	t.Chdir(t.TempDir())
	if code, stdout, stderr := awstoe(t, map[string]string{"d.yml": rebootDoc}, "run", "-d", "d.yml"); code != 194 || stdout+stderr != "" {
		t.Errorf("before the reboot: exit status %d and %q, want 194 and nothing", code, stdout+stderr)
	}
	if err := os.Remove("d.yml"); err != nil { // it may have been on a file system that is gone
		t.Fatal(err)
	}
	code, stdout, _ := awstoe(t, nil, "run", "-d", "d.yml")
	if code != 0 || !strings.Contains(stdout, `"executedStepCount": 2`) {
		t.Errorf("after the reboot: exit status %d and %s", code, stdout)
	}
	if folders, err := filepath.Glob("TOE_*"); err != nil || len(folders) != 1 {
		t.Errorf("log folders %v, %v; want one", folders, err)
	}
}

func TestValidate(t *testing.T) {
	documents := map[string]string{"hi.yml": sayHi, "bad.yml": "schemaVersion: 2\nphases: []\n"}
	valid := func(names string) string {
		return fmt.Sprintf("{\n    \"validationStatus\": \"success\",\n    \"message\": \"Document(s) [%s] is/are valid.\"\n}\n", names)
	}
	faulty := func(message string) string {
		return fmt.Sprintf("{\n    \"validationStatus\": \"failed\",\n    \"message\": \"%s\"\n}\n", message)
	}
	tests := []struct {
		name, args, stdout string
		status             int
	}{
		{"one", "-d hi.yml", valid("hi.yml"), 0},
		{"C55 none", "--documents=", valid(""), 0},
		{"C55 two platforms", "-d hi.yml --os-platforms linux,windows", faulty("hi.yml:1:71: phases[0].steps[0].action: Action ExecuteBash is not supported on windows"), 1},
		{"all faults", "-d bad.yml,none.yml", faulty(`bad.yml:1:16: schemaVersion: Unsupported schemaVersion '2'; it must be 1.0\nbad.yml:2:9: phases: Field 'phases' in the document must have at least one phase\nnone.yml: open none.yml: no such file or directory`), 1},
		{"unknown platform", "-d hi.yml --os-platforms beos", "", 1},
		{"no platform", "-d hi.yml --os-platforms=", "", 1},
		{"no option", "", "", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			status, stdout, stderr := awstoe(t, documents, append([]string{"validate"}, strings.Fields(test.args)...)...)
			if diff := cmp.Diff(test.stdout, stdout); diff != "" || status != test.status {
				t.Errorf("exit status %d, want %d; standard output (-want +got):\n%s%s", status, test.status, diff, stderr)
			}
		})
	}
}

func TestParseParameters(t *testing.T) { // C14, C15
	tests := []struct {
		text string
		want map[string]string
	}{
		{"Who=me,Tag=v1", map[string]string{"Who": "me", "Tag": "v1"}},
		{"List=a,b,Name=c", map[string]string{"List": "a,b", "Name": "c"}},
		{"Url=http://x/?a=b,c=d", map[string]string{"Url": "http://x/?a=b,c=d"}}, // c is too short for a name
		{"Expr=a=b", map[string]string{"Expr": "a=b"}},
		{"Tag=", nil},
		{"=x", nil},
		{"Tag", nil},
		{"Tag=a,Tag=b", nil},
	}
	for _, test := range tests {
		got, err := parseParameters(test.text)
		if (err != nil) != (test.want == nil) {
			t.Errorf("parseParameters(%q): %v", test.text, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("parseParameters(%q) (-want +got):\n%s", test.text, diff)
		}
	}
}
