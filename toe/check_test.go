package toe_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/toe"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestCheckGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/check/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, findings := toe.Check(data, toe.CheckOptions{Path: file, Platform: "linux"})
			var got bytes.Buffer
			if err := findings.Print(&got, filepath.Base(file), data); err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".yml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	bash := "- {name: s, action: ExecuteBash, inputs: {commands: [echo hi]}}"
	head := func(lines string) string {
		return lines + "\nphases: [{name: build, steps: [{name: r, action: Reboot}]}]"
	}
	tests := []struct {
		name, doc string
		want      string // part of the only error; empty: valid
	}{
		{"smallest", document(bash), ""},
		{"byte-order mark and CRLF", "\ufeff" + strings.ReplaceAll(document(bash), "\n", "\r\n"), ""},
		{"JSON", `{"schemaVersion": "1.0", "phases": [{"name": "build", "steps": [{"name": "r", "action": "Reboot"}]}]}`, ""},
		{"leading document mark", "---\n" + document(bash), ""},
		{"C02 integer", head("schemaVersion: 1"), ""},
		{"C02 quoted", head("schemaVersion: '1.0'"), ""},
		{"C02 1.1", head("schemaVersion: 1.1"), "1:16: schemaVersion: Unsupported schemaVersion '1.1'"},
		{"C02 2", head("schemaVersion: 2"), "Unsupported schemaVersion '2'"},
		{"C02 missing", head("name: x"), "Missing required field 'schemaVersion' in the document"},
		{"C03", document(`- {name: say hi, action: Reboot}`), "Invalid step name 'say hi' in phase 'build'. Allowed characters are combinations of numbers [0-9], english letters [a-z,A-Z] and special characters [-_]."},
		{"C09", document("- {name: a, action: ExecuteBash, inputs: {commands: ['{{ build.b.outputs.stdout }}']}}\n- {name: b, action: ExecuteBash, inputs: {commands: [x]}}"), "Reference '{{ build.b.outputs.stdout }}' in step 'a' of phase 'build' points to a step that runs later"},
		{"itself", document("- {name: a, action: ExecuteBash, inputs: {commands: ['{{ build.a.outputs.stdout }}']}}"), "points to a step that runs later"},
		{"C10", document("- {name: a, action: ExecuteBash, inputs: {commands: ['echo {{ NoSuchName }}']}}"), "Undefined reference '{{ NoSuchName }}' in step 'a' of phase 'build'"},
		{"C18 both", head("schemaVersion: 1\nparameters: [{Abc: {type: string}}]\nconstants: [{Abc: {type: string, value: x}}]"), "Duplicate constant name 'Abc'"},
		{"C18 short", head("schemaVersion: 1\nparameters: [{Ab: {type: string}}]"), "Invalid parameter name 'Ab'"},
		{"C18 dot", head("schemaVersion: 1\nconstants: [{A.b: {type: string, value: x}}]"), "Invalid constant name 'A.b'"},
		{"C27 -1", document(`- {name: a, action: UpdateOS, timeoutSeconds: -1}`), ""},
		{"C27 quoted", document(`- {name: a, action: UpdateOS, timeoutSeconds: '60'}`), ""},
		{"C27 0", document(`- {name: a, action: UpdateOS, timeoutSeconds: 0}`), "Invalid value '0' for 'timeoutSeconds' in step 'a' of phase 'build'"},
		{"C27 -2", document(`- {name: a, action: UpdateOS, timeoutSeconds: -2}`), "Invalid value '-2'"},
		{"C27 1.5", document(`- {name: a, action: UpdateOS, timeoutSeconds: 1.5}`), "Invalid value '1.5'"},
		{"C27 soon", document(`- {name: a, action: UpdateOS, timeoutSeconds: soon}`), "Invalid value 'soon'"},
		{"C27 attempts", document(`- {name: a, action: UpdateOS, maxAttempts: 0}`), "Invalid value '0' for 'maxAttempts'"},
		{"C27 onFailure", document(`- {name: a, action: UpdateOS, onFailure: abort}`), "Invalid value 'abort' for 'onFailure'"},
		{"C28 no inputs", document(`- {name: a, action: S3Download, inputs: []}`), "Parsing step 'a' in phase 'build' failed.\nError: Action S3Download has no inputs; it requires an 'inputs'"},
		{"C28 optional", document("- {name: u, action: UpdateOS}\n- {name: r, action: Reboot}"), ""},
		{"C28 unknown key", document(`- {name: a, action: Reboot, timeoutSecond: 1}`), "Unknown field 'timeoutSecond' in step 'a' of phase 'build'; did you mean 'timeoutSeconds'?"},
		{"C28 unknown input", document(`- {name: a, action: DeleteFile, inputs: [{path: x, forced: true}]}`), ""},
		{"mapping for a list", document(`- {name: a, action: DeleteFile, inputs: {path: x}}`), ""},
		{"list of two for a mapping", document(`- {name: a, action: ExecuteBash, inputs: [{commands: [x]}, {commands: [y]}]}`), "takes one mapping of inputs, not a list of 2"},
		{"unquoted colon", document(`- {name: a, action: ExecuteBash, inputs: {commands: [x, {echo a: b}]}}`), "Field 'commands[1]' in the inputs of action ExecuteBash must be a string"},
		{"no known phase", strings.Replace(document(bash), "build", "setup", 1), ""},
		{"negative delay", document(`- {name: a, action: Reboot, inputs: {delaySeconds: -1}}`), "'-1' is not from 0 to 2147483647"},
		{"second document", document(bash) + "---\n" + document(bash), "a second YAML document is not allowed"},
		{"duplicate key", document(bash) + "schemaVersion: 1\n", "Duplicate key 'schemaVersion'"},
		{"tag", document(`- {name: a, action: ExecuteBash, inputs: {commands: [!Ref x]}}`), "Explicit tags such as !Ref are not allowed"},
		{"merge", "schemaVersion: 1\nphases:\n- name: build\n  steps:\n  - &a {name: a, action: Reboot}\n  - {<<: *a, name: b}\n", ""},
		{"C54 metadata", document("- {name: a, action: Assert, inputs: {fileExists: '{{ aws:imds:iam/info }}'}}"), "Metadata path 'iam/info' is not allowed"},
		{"C54 metadata in disguise", document("- {name: a, action: Assert, inputs: {fileExists: '{{ aws:imds:/IAM/../iam/x }}'}}"), "Metadata path '/IAM/../iam/x' is not allowed"},
		{"C54 context", document("- {name: a, action: Assert, inputs: {fileExists: '{{ context:nope }}'}}"), "Undefined reference '{{ context:nope }}'"},
		{"C54 imagebuilder", document("- {name: a, action: Assert, inputs: {fileExists: '{{ imagebuilder:buildDate }}'}}"), "Undefined reference '{{ imagebuilder:buildDate }}'"},
		{"name of a parameter", document("- {name: a, action: Assert, inputs: {fileExists: '{{ aws:ssm:resolve(Nope) }}'}}"), "Undefined reference '{{ aws:ssm:resolve(Nope) }}'"},
		{"C44 attempts", document(`- {name: a, action: ExecuteDocument, maxAttempts: 2, inputs: {document: x}}`), "Invalid value '2' for 'maxAttempts' in step 'a' of phase 'build'; it must be 1 for action ExecuteDocument"},
		{"C44 timeout", document(`- {name: a, action: ExecuteDocument, timeoutSeconds: 60, inputs: {document: x}}`), "Invalid value '60' for 'timeoutSeconds'"},
		{"once, said twice", document(`- {name: a, action: ExecuteDocument, timeoutSeconds: -1, maxAttempts: 1, inputs: {document: x}}`), ""},
		{"unknown action", document(`- {name: a, action: ExecuteBsh}`), "Unknown action 'ExecuteBsh' in step 'a' of phase 'build'; did you mean 'ExecuteBash'?"},
		{"place behind an umlaut", document("- {name: a, action: CreateFile, inputs: [{path: 'ä {{ context:step }} {{ nope }}'}]}"), "5:73: phases[0].steps[0].inputs[0].path: Undefined reference '{{ nope }}'"},
		{"not a mapping", "- a\n", "The document must be a mapping, not a list"},
		{"empty", "", "the document is empty"},
		{"too large", strings.Repeat("#", 1<<20+1), "more than 1048576"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc, findings := toe.Check([]byte(test.doc), toe.CheckOptions{Platform: "linux"})
			errs := findings.Errors()
			switch {
			case test.want == "" && (len(errs) > 0 || doc == nil):
				t.Errorf("Check = %v, %v; want no error", doc, errs)
			case test.want != "" && (len(errs) != 1 || doc != nil || !strings.Contains(errs[0].String(), test.want)):
				t.Errorf("Check = %v, %v; want one error with %q", doc, errs, test.want)
			}
		})
	}
}

// wantError checks steps that have exactly one fault, or none if want is empty.
func wantError(t *testing.T, name, platform, steps, want string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Helper()
		_, findings := toe.Check([]byte(document(steps)), toe.CheckOptions{Platform: platform})
		errs := findings.Errors()
		if want == "" && len(errs) > 0 || want != "" && (len(errs) != 1 || !strings.Contains(errs[0].Message, want)) {
			t.Errorf("Check(%s) = %v, want one error with %q", steps, errs, want)
		}
	})
}

// Inputs that are mappings and lists of mappings, on Windows where most are.
func TestCheckInputShapes(t *testing.T) {
	msi := func(properties string) string {
		return "- {name: i, action: InstallMSI, inputs: {path: a.msi, properties: " + properties + "}}\n"
	}
	nested := func(parameters string) string {
		return "- {name: d, action: ExecuteDocument, inputs: {document: x, parameters: " + parameters + "}}"
	}
	registry := func(value string) string {
		return "- {name: r, action: SetRegistry, inputs: {path: 'HKLM:\\A', name: n, type: SZ, value: " + value + "}}"
	}
	use := func(reference string) string {
		return "- {name: u, action: CreateFile, inputs: {path: '{{ build.i.inputs." + reference + " }}'}}"
	}
	tests := []struct{ name, steps, want string }{ // want is part of the only error; empty: none
		{"mapping", msi("{A: '{{ context:step }}', B: 1}"), ""},
		{"mapping with a null", msi("{A: }"), ""},
		{"text for a mapping", msi("A=1"), "Field 'properties' in the inputs of action InstallMSI must be a mapping of strings"},
		{"list in a mapping", msi("{A: [1]}"), "Field 'properties.A' in the inputs of action InstallMSI must be a string"},
		{"reference in a mapping", msi("{A: '{{ Nope }}'}"), "Undefined reference '{{ Nope }}'"},
		{"key of a mapping", msi("{A: 1}") + use("properties.A"), ""},
		{"no such key", msi("{A: 1}") + use("properties.B"), "the step declares no such input"},
		{"whole mapping", msi("{A: 1}") + use("properties"), "the input is a mapping, only a single text can be referenced"},
		{"key of a text", msi("{A: 1}") + use("path.A"), "the step declares no such input"},
		{"misspelled input", msi("{A: 1}") + use("pth"), "the step declares no such input; did you mean 'path'?"},
		{"pairs", nested("[{name: a, value: '{{ context:step }}'}]"), ""},
		{"pair without a value", nested("[{name: a}]"), "Missing required field 'value' in 'parameters[0]' of the inputs of action ExecuteDocument"},
		{"mapping for pairs", nested("{a: b}"), "Field 'parameters' in the inputs of action ExecuteDocument must be a list of name and value"},
		{"text in pairs", nested("[a]"), "Field 'parameters[0]' in the inputs of action ExecuteDocument must be a mapping with name and value"},
		{"list in a pair", nested("[{name: a, value: [b]}]"), "Field 'parameters[0].value' in the inputs of action ExecuteDocument must be a string"},
		{"scalar", registry("5"), ""},
		{"list of scalars", registry("[a, 5]"), ""},
		{"mapping for scalars", registry("{a: b}"), "Field 'value' in the inputs of action SetRegistry must be a string, number or list"},
		{"both of two", "- {name: p, action: ExecutePowerShell, inputs: {commands: [a], file: b.ps1}}", "Action ExecutePowerShell needs exactly one of the inputs commands, file, not 2"},
		{"none of two", "- {name: p, action: ExecutePowerShell, inputs: {other: b}}", "Action ExecutePowerShell needs exactly one of the inputs commands, file, not 0"},
	}
	for _, test := range tests {
		wantError(t, test.name, "windows", test.steps, test.want)
	}
}

func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := '1'; i < '9'; i++ {
		prev := string(i - 1)
		b.WriteString("a" + string(i) + ": &a" + string(i) + " [" + strings.Repeat("*a"+prev+", ", 9) + "*a" + prev + "]\n")
	}
	_, findings := toe.Check([]byte(b.String()), toe.CheckOptions{})
	if err := findings.Err(); err == nil || !strings.Contains(err.Error(), "expand to more than 10000 nodes") {
		t.Errorf("Check = %v", err)
	}
}

// A document with more remarks than are kept still has its fault.
func TestFaultBehindWarnings(t *testing.T) {
	var steps strings.Builder
	for i := range 900 {
		fmt.Fprintf(&steps, "- {name: s%d, action: DeleteFile, inputs: {path: x, y1: 1, y2: 2}}\n", i)
	}
	steps.WriteString("- {name: last, action: ExecuteBash, inputs: {commands: ['{{ NoSuchName }}']}}")
	doc, findings := toe.Check([]byte(document(steps.String())), toe.CheckOptions{Platform: "linux"})
	if err := findings.Err(); doc != nil || err == nil || !strings.Contains(err.Error(), "NoSuchName") {
		t.Errorf("Check = %v, %v; want the undefined reference", doc, err)
	}
}

func TestPlatforms(t *testing.T) { // C55
	doc := []byte(document(`- {name: s, action: ExecuteBash, inputs: {commands: [x]}}`))
	for platform, want := range map[string]string{"linux": "", "darwin": "", "windows": "Action ExecuteBash is not supported on windows"} {
		_, findings := toe.Check(doc, toe.CheckOptions{Platform: platform})
		if err := findings.Err(); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Check on %s = %v, want %q", platform, err, want)
		}
	}
}

func TestServiceRules(t *testing.T) { // C56
	reboot := "steps: [{name: r, action: Reboot}]}"
	tests := []struct{ phases, wantType, wantErr string }{
		{"[{name: test, " + reboot + "]", "TEST", ""},
		{"[{name: test, " + reboot + ", {name: build, " + reboot + "]", "BUILD", ""},
		{"[{name: setup, " + reboot + "]", "", "Document must contain at least one of the phases build, validate, test"},
	}
	for _, test := range tests {
		doc, findings := toe.Check([]byte("schemaVersion: 1.0\nphases: "+test.phases), toe.CheckOptions{Platform: "linux", Service: true})
		if test.wantErr != "" {
			if err := findings.Err(); err == nil || !strings.Contains(err.Error(), test.wantErr) {
				t.Errorf("%s: error %v, want %q", test.phases, err, test.wantErr)
			}
			continue
		}
		if doc == nil || doc.Type() != test.wantType {
			t.Errorf("%s: document %v, %v; want type %s", test.phases, doc, findings, test.wantType)
		}
	}
}

func TestDeepNesting(t *testing.T) {
	_, findings := toe.Check([]byte(strings.Repeat("[", 200)+strings.Repeat("]", 200)), toe.CheckOptions{})
	if err := findings.Err(); err == nil || !strings.Contains(err.Error(), "nested deeper than 100 levels") {
		t.Errorf("Check = %v", err)
	}
}

// Whatever the bytes: Check ends, places lie within the document, and a
// document without errors comes with its steps.
func FuzzCheck(f *testing.F) {
	many, err := os.ReadFile("testdata/check/many.yml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(many)
	f.Add([]byte(document(`- {name: s, action: ExecuteBash, inputs: {commands: [echo hi]}}`)))
	f.Add([]byte("a: &a [*a]\n<<: *a\n"))
	f.Add([]byte("---"))
	f.Add([]byte("\ufeff{{ x }}: {{ y }}\n---\n"))
	f.Add([]byte("phases: [{name: build, steps: [{action: CreateFile, inputs: [{path: '{{ build.a.inputs[9].path }}'}]}]}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, findings := toe.Check(data, toe.CheckOptions{Platform: "linux"})
		lines := bytes.Count(data, []byte("\n")) + 1
		for _, finding := range findings {
			if finding.Line < 1 || finding.Column < 1 || finding.Line > lines && !bytes.ContainsAny(data, "\r\u0085\u2028\u2029") {
				t.Errorf("finding outside of the document of %d lines: %+v", lines, finding)
			}
		}
		if (doc == nil) != (findings.Err() != nil) {
			t.Errorf("document %v with findings %v", doc, findings)
		}
	})
}
