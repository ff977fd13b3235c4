package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/ingot/toe"
)

// The cases of component-documents.md §17 that are about the command. All
// documents are doc.yml.

// steps is a document of steps in the one phase build.
func steps(list string) string {
	return "schemaVersion: 1.0\nphases: [{name: build, steps: [" + list + "]}]"
}

func TestInvalidDocuments(t *testing.T) {
	reboot := "phases: [{name: build, steps: [{name: r, action: Reboot}]}]"
	mk := "{name: mk, action: CreateFile, inputs: [{path: a}, {path: b}]}"
	show := "{name: show, action: ExecuteBash, inputs: {commands: ['echo {{build.mk.inputs[1].path}}']}}"
	update := func(setting string) string { return steps("{name: u, action: UpdateOS, " + setting + "}") }
	tests := []struct{ name, document, message string }{
		{"C02 1.1", "schemaVersion: 1.1\n" + reboot, "Unsupported schemaVersion '1.1'"},
		{"C02 2", "schemaVersion: 2\n" + reboot, "Unsupported schemaVersion '2'"},
		{"C02 missing", reboot, "Missing required field 'schemaVersion'"},
		{"C03", steps("{name: say hi, action: Reboot}"), "Invalid step name 'say hi' in phase 'build'"},
		{"C09", steps(show + ", " + mk), "points to a step that runs later"},
		{"C10", steps("{name: s, action: ExecuteBash, inputs: {commands: ['echo {{ NoSuchName }}']}}"), "{{ NoSuchName }}"},
		{"C18 same name", "schemaVersion: 1\nparameters: [{Abc: {type: string}}]\nconstants: [{Abc: {type: string, value: x}}]\n" + reboot, "Duplicate constant name 'Abc'"},
		{"C18 two characters", "schemaVersion: 1\nparameters: [{Ab: {type: string}}]\n" + reboot, "Invalid parameter name 'Ab'"},
		{"C18 dot", "schemaVersion: 1\nconstants: [{A.b: {type: string, value: x}}]\n" + reboot, "Invalid constant name 'A.b'"},
		{"C19 default", "schemaVersion: 1\nparameters: [{Level: {type: string, default: Mid, allowedValues: [Low, High]}}]\n" + reboot, "is not one of its allowedValues"},
		{"C27 timeoutSeconds 0", update("timeoutSeconds: 0"), "Invalid value '0' for 'timeoutSeconds'"},
		{"C27 timeoutSeconds -2", update("timeoutSeconds: -2"), "Invalid value '-2' for 'timeoutSeconds'"},
		{"C27 timeoutSeconds 1.5", update("timeoutSeconds: 1.5"), "Invalid value '1.5' for 'timeoutSeconds'"},
		{"C27 timeoutSeconds soon", update("timeoutSeconds: soon"), "Invalid value 'soon' for 'timeoutSeconds'"},
		{"C27 maxAttempts 0", update("maxAttempts: 0"), "Invalid value '0' for 'maxAttempts'"},
		{"C27 onFailure abort", update("onFailure: abort"), "Invalid value 'abort' for 'onFailure'"},
		{"C28 no inputs", steps("{name: d, action: S3Download, inputs: []}"), "Action S3Download has no inputs; it requires an 'inputs'"},
		{"C28 step key", steps("{name: r, action: Reboot, timeoutSecond: 1}"), "Unknown field 'timeoutSecond'"},
		{"C55", steps("{name: s, action: ExecutePowerShell, inputs: {commands: [x]}}"), "Action ExecutePowerShell is not supported on linux"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			documents := map[string]string{"doc.yml": test.document}
			status, stdout, stderr := awstoe(t, documents, "validate", "-d", "doc.yml", "--os-platforms", "linux")
			if v := decode[validation](t, stdout); status != 1 || v.Status != "failed" || !strings.Contains(v.Message, test.message) {
				t.Errorf("validate: exit status %d, %+v; want a fault with %q", status, v, test.message)
			}
			if !strings.Contains(stderr, "^\n") {
				t.Errorf("validate does not show the place:\n%s", stderr)
			}
			status, stdout, stderr = awstoe(t, nil, "run", "-d", "doc.yml")
			if r := decode[toe.Result](t, stdout); status != 1 || r.Status != "failed" || r.ExecutedStepCount != 0 || !strings.Contains(r.FailureMessage, test.message) {
				t.Errorf("run: exit status %d, %+v; want a failure with %q before the first step", status, r, test.message)
			}
			if !strings.Contains(stderr, "^\n") {
				t.Errorf("run does not show the place:\n%s", stderr)
			}
		})
	}
}

func decode[T any](t *testing.T, stdout string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		t.Fatalf("%v in:\n%s", err, stdout)
	}
	return v
}

func TestValidDocuments(t *testing.T) {
	reboot := "phases: [{name: build, steps: [{name: r, action: Reboot}]}]"
	tests := []struct{ name, document, platforms string }{
		{"C02 1", "schemaVersion: 1\n" + reboot, "linux"},
		{"C02 1.0", "schemaVersion: 1.0\n" + reboot, "linux"},
		{"C02 '1.0'", "schemaVersion: '1.0'\n" + reboot, "linux"},
		{"C27 timeoutSeconds -1", steps("{name: u, action: UpdateOS, timeoutSeconds: -1}"), "linux"},
		{"C27 timeoutSeconds 1", steps("{name: u, action: UpdateOS, timeoutSeconds: 1}"), "linux"},
		{"C27 timeoutSeconds '60'", steps("{name: u, action: UpdateOS, timeoutSeconds: '60'}"), "linux"},
		{"C28 UpdateOS", steps("{name: u, action: UpdateOS}"), "linux"},
		{"C28 Reboot", steps("{name: r, action: Reboot}"), "linux"},
		{"C28 input key", steps("{name: d, action: DeleteFile, inputs: [{path: a, forced: true}]}"), "linux"},
		{"C55", steps("{name: s, action: ExecutePowerShell, inputs: {commands: [x]}}"), "windows"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			status, stdout, stderr := awstoe(t, map[string]string{"doc.yml": test.document}, "validate", "-d", "doc.yml", "--os-platforms", test.platforms)
			if v := decode[validation](t, stdout); status != 0 || v.Status != "success" {
				t.Errorf("validate: exit status %d, %+v\n%s", status, v, stderr)
			}
		})
	}
}

// runs executes doc.yml and returns the result and outputs.stdout of the last
// step.
func runs(t *testing.T, document string, options ...string) (status int, result toe.Result, out string) {
	t.Helper()
	t.Chdir(t.TempDir())
	status, stdout, stderr := awstoe(t, map[string]string{"doc.yml": document}, append([]string{"run", "-d", "doc.yml"}, options...)...)
	if stdout == "" {
		t.Logf("standard error: %s", stderr)
		return status, result, ""
	}
	result = decode[toe.Result](t, stdout)
	return status, result, lastStdout(t, result.LogURL)
}

// lastStdout reads detailedoutput.json.
func lastStdout(t *testing.T, folder string) (out string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "detailedoutput.json"))
	if err != nil {
		t.Fatal(err)
	}
	record := decode[struct {
		Documents []struct {
			Phases []struct{ Steps []struct{ Outputs string } }
		}
	}](t, string(data))
	for _, d := range record.Documents {
		for _, p := range d.Phases {
			for _, s := range p.Steps {
				if outputs := decode[[]map[string]string](t, s.Outputs); len(outputs) > 0 {
					out = outputs[0]["stdout"]
				}
			}
		}
	}
	return out
}

func TestRunParameters(t *testing.T) {
	who := "schemaVersion: 1.0\nparameters: [{Who: {type: string, default: all}}, {Tag: {type: string}}]\n" +
		"phases: [{name: build, steps: [{name: s, action: ExecuteBash, inputs: {commands: ['echo \"{{ Who }}-{{Tag}}\"']}}]}]"
	lists := "schemaVersion: 1.0\nparameters: [{List: {type: string}}, {Name: {type: string}}]\n" +
		"phases: [{name: build, steps: [{name: s, action: ExecuteBash, inputs: {commands: ['echo \"{{ List }} {{ Name }}\"']}}]}]"
	level := "schemaVersion: 1.0\nparameters: [{Level: {type: string, default: Low, allowedValues: [Low, High]}}]\n" +
		"phases: [{name: build, steps: [{name: s, action: ExecuteBash, inputs: {commands: ['echo {{ Level }}']}}]}]"
	tests := []struct {
		name, document, parameters string
		status, executed           int
		out                        string
	}{
		{"C14 none", who, "", 0, 1, "all-"},
		{"C14 both", who, "Who=me,Tag=v1", 0, 1, "me-v1"},
		{"C14 undeclared", who, "Other=1", 0, 1, "all-"},
		{"C14 no value", who, "Tag=", 1, 0, ""},
		{"C15", lists, "List=a,b,Name=c", 0, 1, "a,b c"},
		{"C19 allowed", level, "Level=High", 0, 1, "High"},
		{"C19 not allowed", level, "Level=Mid", 1, 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var options []string
			if test.parameters != "" {
				options = []string{"--parameters", test.parameters}
			}
			status, result, out := runs(t, test.document, options...)
			if status != test.status || result.ExecutedStepCount != test.executed || out != test.out {
				t.Errorf("exit status %d, %+v, output %q; want %d, %d steps, %q", status, result, out, test.status, test.executed, test.out)
			}
		})
	}
}

func TestRunPhases(t *testing.T) { // C20
	document := "schemaVersion: 1.0\nphases:\n" +
		"- {name: test, steps: [{name: s, action: ExecuteBash, inputs: {commands: [echo test >> order]}}]}\n" +
		"- {name: build, steps: [{name: s, action: ExecuteBash, inputs: {commands: [echo build >> order, cat order]}}]}\n"
	if status, result, out := runs(t, document, "--phases", "build,test"); status != 0 || out != "test\nbuild" {
		t.Errorf("exit status %d, %+v, order %q; want test before build", status, result, out)
	}
	if status, result, _ := runs(t, document, "--phases", "deploy"); status != 0 || result.Status != "success" || result.ExecutedStepCount != 0 {
		t.Errorf("exit status %d, %+v; want success of nothing", status, result)
	}
}

func TestUnknownInputIsLogged(t *testing.T) { // C28
	_, result, _ := runs(t, steps("{name: d, action: DeleteFile, inputs: [{path: 'none-*', forced: true}]}"))
	log, err := os.ReadFile(filepath.Join(result.LogURL, "application.log"))
	if err != nil || result.Status != "success" || !strings.Contains(string(log), "Unknown input 'forced' of action DeleteFile is ignored") {
		t.Errorf("Run = %+v, %v; want success and a warning in application.log:\n%s", result, err, log)
	}
}

// Ten mistakes, ten findings, each with its place and what to do.
func TestTenMistakes(t *testing.T) {
	document, err := os.ReadFile("testdata/ten.yml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := filepath.Abs("testdata/ten.golden")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	status, stdout, stderr := awstoe(t, map[string]string{"ten.yml": string(document)}, "validate", "-d", "ten.yml", "--os-platforms", "linux")
	golden(t, want, stderr)
	v := decode[validation](t, stdout)
	if n := strings.Count("\n"+v.Message, "\nten.yml:"); status != 1 || n != 10 {
		t.Errorf("exit status %d and %d findings, want 1 and 10:\n%s", status, n, v.Message)
	}
}
