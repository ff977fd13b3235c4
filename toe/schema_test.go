package toe_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"ingot.dev/ingot/toe"
)

// judge asks an independent validator what is wrong with documents by the
// schema, and whether the schema is one.
func judge(t *testing.T, documents []string) []string {
	t.Helper()
	instances := make([]any, len(documents))
	for i, d := range documents {
		if err := yaml.Unmarshal([]byte(d), &instances[i]); err != nil {
			t.Fatalf("%v\n%s", err, d)
		}
	}
	input, err := json.Marshal(map[string]any{"schema": toe.Schema(), "instances": instances})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", ".")
	cmd.Dir = "../tools/jsonschema"
	cmd.Stdin = bytes.NewReader(input)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("validator: %v\n%s", err, stderr.String())
	}
	var faults []string
	if err := json.Unmarshal(out, &faults); err != nil || len(faults) != len(documents) {
		t.Fatalf("validator printed %q, %v", out, err)
	}
	return faults
}

// wellFormed has what the language offers.
var wellFormed = []string{
	document(`- {name: s, action: ExecuteBash, inputs: {commands: [echo hi]}}`),
	document(`- {name: s, action: ExecuteBash, inputs: [{commands: echo hi}]}`),
	document("- {name: u, action: UpdateOS}\n- {name: r, action: Reboot, inputs: {}}\n- {name: v, action: UpdateOS, inputs: null}\n- {name: w, action: UpdateOS, inputs: []}"),
	document(`- {name: s, action: CreateFile, timeoutSeconds: '60', maxAttempts: 2, onFailure: Ignore, disableLogging: 'True', inputs: [{path: /x, content: 1.10, overwrite: '{{ context:step }}', ignored: 1}]}`),
	document(`- {name: 7, action: DeleteFile, timeoutSeconds: -1, loop: null, inputs: {path: /x}}`),
	document(`- {name: s, action: ExecuteBash, loop: {name: each, for: {start: 3, end: '1', updateBy: -1}}, inputs: {commands: ['{{ each.value }}']}}`),
	document(`- {name: s, action: ExecuteBash, loop: {forEach: [a, 1, true]}, inputs: {commands: ['{{ loop.value }}']}}`),
	document(`- {name: s, action: ExecuteBash, loop: {forEach: {list: 'a;b', delimiter: ';'}}, inputs: {commands: ['{{ loop.value }}']}}`),
	document(`- {name: s, action: ExecuteBash, if: {folderExists: /tmp, then: Skip, else: Abort}, inputs: {commands: [x]}}`),
	document(`- {name: s, action: ExecuteBash, if: [{not: {binaryExists: x, then: Execute}}], inputs: {commands: [x]}}`),
	document(`- {name: s, action: ExecuteBash, if: {or: [{stringEquals: a, value: b}, {not: [{fileMD5Equals: a, path: b}]}]}, inputs: {commands: [x]}}`),
	document(`- {name: s, action: Assert, inputs: {and: [{numberLessThan: 10, value: '3'}, {patternMatches: a, value: b, ignored: c}]}}`),
	document(`- {name: s, action: Assert, inputs: [{not: {not: {not: {not: {folderExists: /tmp}}}}}]}`),
	document(`- {name: s, action: ExecuteDocument, timeoutSeconds: -1, maxAttempts: '1', inputs: {document: a.yml, parameters: [{name: Abc, value: 1}]}}`),
	"name: 1\ndescription:\nschemaVersion: '1.0'\nparameters: [{Abc: {type: string, default: '', allowedValues: ['', 1]}}]\nconstants: [{Def: {type: string, value: 007}}]\nphases: [{name: test, steps: [{name: r, action: Reboot}]}]",
}

// malformed is what the schema must mark.
var malformed = []string{
	"- a",
	"schemaVersion: 1.1\nphases: [{name: test, steps: [{name: r, action: Reboot}]}]",
	"schemaVersion: 1.0\nphases: []",
	"phases: [{name: test, steps: [{name: r, action: Reboot}]}]",
	"schemaVersion: 1.0\nextra: 1\nphases: [{name: test, steps: [{name: r, action: Reboot}]}]",
	"schemaVersion: 1.0\nparameters: [{Ab: {type: string}}]\nphases: [{name: test, steps: [{name: r, action: Reboot}]}]",
	"schemaVersion: 1.0\nparameters: [{Abc: {type: integer}}]\nphases: [{name: test, steps: [{name: r, action: Reboot}]}]",
	"schemaVersion: 1.0\nconstants: [{Abc: {type: string}}]\nphases: [{name: test, steps: [{name: r, action: Reboot}]}]",
	document(`- {name: say hi, action: Reboot}`),
	document(`- {name: s, action: ExecuteBsh, inputs: {commands: [x]}}`),
	document(`- {name: s, action: ExecuteBash}`),
	document(`- {name: s, action: S3Download, inputs: []}`),
	document(`- {name: s, action: ExecuteBash, inputs: {commands: []}}`),
	document(`- {name: s, action: ExecuteBash, inputs: {commands: [{echo a: b}]}}`),
	document(`- {name: s, action: ExecuteBash, inputs: [{commands: [x]}, {commands: [y]}]}`),
	document(`- {name: s, action: ExecutePowerShell, inputs: {commands: [x], file: y.ps1}}`),
	document(`- {name: s, action: CreateFile, inputs: {path: x, overwrite: maybe}}`),
	document(`- {name: s, action: Reboot, timeoutSecond: 1}`),
	document(`- {name: s, action: Reboot, timeoutSeconds: 0}`),
	document(`- {name: s, action: Reboot, maxAttempts: 1.5}`),
	document(`- {name: s, action: Reboot, onFailure: abort}`),
	document(`- {name: s, action: ExecuteDocument, maxAttempts: 2, inputs: {document: a.yml}}`),
	document(`- {name: s, action: Reboot, loop: {forEach: []}}`),
	document(`- {name: s, action: Reboot, loop: {forEach: {list: a, delimiter: '|'}}}`),
	document(`- {name: s, action: Reboot, loop: {for: {start: 1, end: 2, updateBy: 0}}}`),
	document(`- {name: s, action: Reboot, loop: {for: {start: 1, end: 2, updateBy: 1}, forEach: [a]}}`),
	document(`- {name: s, action: Reboot, if: {stringEquals: a}}`),
	document(`- {name: s, action: Reboot, if: {folderExists: /a, fileExists: /b}}`),
	document(`- {name: s, action: Reboot, if: {folderExists: /a, than: Skip}}`),
	document(`- {name: s, action: Reboot, if: {folderExists: /a, then: skip}}`),
	document(`- {name: s, action: Reboot, if: {and: []}}`),
	document(`- {name: s, action: Reboot, if: {and: [{folderExists: /a, then: Skip}]}}`),
	document(`- {name: s, action: Assert, inputs: {not: {not: {not: {not: {not: {folderExists: /tmp}}}}}}}`),
}

// examples are the documents that come with Ingot.
func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../examples/*/components/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	var documents []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, string(data))
	}
	return documents
}

// The schema and Check, which are written apart, agree on every document.
func TestSchema(t *testing.T) {
	good := slices.Concat(wellFormed, examples(t))
	documents := slices.Concat(good, malformed)
	for i, fault := range judge(t, documents) {
		wellFormed := i < len(good)
		if (fault == "") != wellFormed {
			t.Errorf("the schema says %q, want a fault: %v\n%s", fault, !wellFormed, documents[i])
		}
		valid := false
		var findings toe.Findings
		for _, platform := range []string{"linux", "windows"} {
			doc, found := toe.Check([]byte(documents[i]), toe.CheckOptions{Platform: platform})
			valid, findings = valid || doc != nil, found
		}
		if valid != wellFormed {
			t.Errorf("Check finds %v, want a fault: %v\n%s", findings, !wellFormed, documents[i])
		}
	}
}
