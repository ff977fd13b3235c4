//go:build unix

package toe_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ingot.dev/ingot/toe"
)

// assertion is a step that asserts a condition, a YAML flow mapping.
func assertion(condition string) string {
	return "- {name: s, action: Assert, inputs: " + condition + "}"
}

func TestCondition(t *testing.T) {
	digest := sha256.Sum256([]byte("content"))
	tests := []struct {
		name, condition string
		want            bool
	}{
		{"C31 number in a string", `{numberLessThan: 10, value: '3'}`, true},
		{"C31 subject on the right", `{numberGreaterThan: 10, value: 3}`, false},
		{"C31 decimals", `{numberEquals: 5, value: '5.0'}`, true},
		{"C31 no number", `{numberEquals: 5, value: a5}`, false},
		{"C31 not no number", `{not: {numberEquals: 5, value: a5}}`, true},
		{"number with a sign", `{numberEquals: -5, value: '-5'}`, true},
		{"number in YAML's forms", `{and: [{numberEquals: 1e3, value: '1000'}, {numberEquals: .5, value: '0.5'}, {numberEquals: 0x10, value: 16}]}`, true},
		{"string in YAML's forms is no number", `{or: [{numberEquals: 1000, value: '1e3'}, {numberEquals: 1, value: '.5'}, {numberEquals: 7, value: ' 7'}, {numberEquals: 1, value: '1.'}]}`, false},
		{"numbers far apart in size", `{numberLessThan: 123456789012345678901234567890, value: 123456789012345678901234567889}`, true},
		{"numbers that differ late", `{numberEquals: 0.1, value: 0.10000000000000000000000000000001}`, false},
		{"number bounds", `{and: [{numberLessThanEquals: 2, value: 2}, {numberGreaterThanEquals: 2, value: 2}, {not: {numberLessThan: 2, value: 2}}, {not: {numberGreaterThan: 2, value: 2}}]}`, true},

		{"C32 case", `{stringEquals: ABC, value: abc}`, true},
		{"C32 space", `{stringEquals: ABC, value: ' abc'}`, false},
		{"C32 pattern case", `{patternMatches: '^ab+$', value: ABB}`, true},
		{"C32 pattern anywhere", `{patternMatches: b, value: xbx}`, true},
		{"C32 order", `{stringLessThan: b, value: A}`, true},
		{"C32 order of equals", `{stringLessThan: A, value: a}`, false},
		{"C32 white space", `{stringIsWhitespace: ''}`, false},
		{"white space", `{stringIsWhitespace: " \t\u00a0"}`, true},
		{"empty", `{stringIsEmpty: ''}`, true},
		{"digits sort before letters", `{stringLessThan: a, value: 1}`, true},
		{"string bounds", `{and: [{stringLessThanEquals: b, value: B}, {stringGreaterThanEquals: b, value: B}, {not: {stringGreaterThan: b, value: B}}]}`, true},
		{"operator in any case", `{StringEQUALS: a, value: a}`, true},
		{"Unicode case", `{stringEquals: ÄÖ, value: äö}`, true},

		{"builtin", `{binaryExists: type}`, true},
		{"program", `{binaryExists: cat}`, true},
		{"no program", `{binaryExists: no-such-program}`, false},
		{"empty program", `{binaryExists: ''}`, false},
		{"option as a program", `{binaryExists: -t}`, false},
		{"file", `{and: [{fileExists: file}, {not: {fileExists: folder}}, {not: {fileExists: nothing}}]}`, true},
		{"folder", `{and: [{folderExists: folder}, {not: {folderExists: file}}, {folderExists: link}]}`, true},
		{"no path", `{or: [{fileExists: ''}, {folderExists: ''}]}`, false},
		{"digest", `{fileSHA256Equals: ` + strings.ToUpper(hex.EncodeToString(digest[:])) + `, path: file}`, true},
		{"digests of known text", `{and: [{fileMD5Equals: 9a0364b9e99bb480dd25e1f0284c8555, path: file}, {fileSHA1Equals: 040f06fd774092478d450774f5ba30c5da78acc8, path: file}, {not: {fileSHA512Equals: '00', path: file}}]}`, true},
		{"digest of nothing", `{fileMD5Equals: d41d8cd98f00b204e9800998ecf8427e, path: nothing}`, false},
		{"digest of a pipe without a writer", `{fileMD5Equals: d41d8cd98f00b204e9800998ecf8427e, path: pipe}`, false},
		{"digest of an endless file", `{fileMD5Equals: d41d8cd98f00b204e9800998ecf8427e, path: /dev/zero}`, false},

		{"C33 short circuit", `{or: [{folderExists: /}, {stringEquals: x, value: '{{ env:C33_IS_NOT_SET }}'}]}`, true},
		{"and ends early", `{and: [{folderExists: /none}, {stringEquals: x, value: '{{ env:C33_IS_NOT_SET }}'}]}`, false},
		{"C34 four levels", `{not: {not: {not: {not: {folderExists: /}}}}}`, true},
		{"not as a list", `{not: [{folderExists: /none}]}`, true},
		{"mixed levels", `{and: [{or: [{folderExists: /none}, {not: {folderExists: /none}}]}, {folderExists: /}]}`, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tr := try(t, prepareFiles(t), document(assertion(test.condition)))
			if got := tr.steps["build.s"]; tr.err != nil || (got.Status == "success") != test.want || !test.want && got.FailureMessage != "Assertion evaluated to false" {
				t.Errorf("%s: %s %q, error %v; want %v", test.condition, got.Status, got.FailureMessage, tr.err, test.want)
			}
		})
	}
}

// prepareFiles makes a file, a folder and a link to it in the working
// directory.
func prepareFiles(t *testing.T) func(*toe.Request) {
	return func(r *toe.Request) {
		for _, err := range []error{
			os.WriteFile(filepath.Join(r.WorkingDirectory, "file"), []byte("content"), 0o600),
			os.Mkdir(filepath.Join(r.WorkingDirectory, "folder"), 0o700),
			os.Symlink("folder", filepath.Join(r.WorkingDirectory, "link")),
			syscall.Mkfifo(filepath.Join(r.WorkingDirectory, "pipe"), 0o600),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestConditional(t *testing.T) {
	bash := func(head, command string) string {
		return "- name: s\n  action: ExecuteBash\n" + indent(head, "  ") + "  inputs: {commands: ['" + command + "']}\n"
	}
	tests := []conformanceCase{
		{
			name:   "C29 condition false",
			steps:  "- name: a\n  action: ExecuteBash\n  if: {not: {folderExists: /}}\n  inputs: {commands: [echo ran]}\n" + `- {name: b, action: ExecuteBash, inputs: {commands: ['echo "<{{ build.a.outputs.stdout }}>"']}}`,
			status: "success", count: "1/0/0", out: map[string]string{"b": "<>"}, console: "Info Step a skipped by its condition\n",
		},
		{
			name: "C30 then and else below not", steps: bash("if:\n  not:\n    binaryExists: no-such-program-c30\n    then: Execute\n    else: Skip", "echo ran"),
			status: "success", count: "1/0/0", out: map[string]string{"s": "ran"},
		},
		{
			name: "then below not decides", steps: bash("if: {not: {binaryExists: no-such-program, then: Skip, else: Execute}}", "echo ran"),
			status: "success", count: "0/0/0",
		},
		{
			name: "if as a list", steps: bash("if: [{folderExists: /}]", "echo ran"),
			status: "success", count: "1/0/0", out: map[string]string{"s": "ran"},
		},
		{
			name: "C33 not resolved", steps: assertion(`{or: [{stringEquals: x, value: '{{ env:C33_IS_NOT_SET }}'}, {folderExists: /}]}`),
			status: "failed", count: "1/1/0", message: "Unable to resolve '{{ env:C33_IS_NOT_SET }}'",
		},
		{
			name: "not does not hide what cannot be resolved", steps: assertion(`{not: {stringEquals: x, value: '{{ env:C33_IS_NOT_SET }}'}}`),
			status: "failed", count: "1/1/0", message: "Unable to resolve",
		},
		{name: "C35 then Skip, true", steps: bash("if: {folderExists: /, then: Skip}", "echo ran"), status: "success", count: "0/0/0"},
		{name: "C35 then Skip, false", steps: bash("if: {folderExists: /none, then: Skip}", "echo ran"), status: "success", count: "0/0/0"},
		{
			name: "C36 else Abort, ignored", steps: bash("if: {folderExists: /none, else: Abort}\nonFailure: Ignore", "echo ran"),
			status: "successWithIgnoredFailure", count: "0/0/1",
		},
		{
			name: "else Abort", steps: bash("if: {folderExists: /none, else: Abort}\nmaxAttempts: 3", "echo ran"),
			status: "failed", count: "0/1/0", message: "Step aborted by its 'if' condition",
		},
		{
			name: "if cannot be resolved", steps: bash("if: {stringEquals: a, value: '{{ env:IS_NOT_SET }}'}\nmaxAttempts: 3", "echo ran"),
			status: "failed", count: "0/1/0", message: "Unable to resolve '{{ env:IS_NOT_SET }}'", console: "Error Unable to resolve",
		},
		{
			name: "if of an output", steps: "- {name: a, action: ExecuteBash, inputs: {commands: [echo 12]}}\n" + bash("if: {numberGreaterThan: 9, value: '{{ build.a.outputs.stdout }}'}", "echo ran"),
			status: "success", count: "2/0/0", out: map[string]string{"s": "ran"},
		},
		{
			name: "operand that stops being a number", steps: "- {name: a, action: ExecuteBash, inputs: {commands: [echo nine]}}\n" + bash("if: {numberEquals: '{{ build.a.outputs.stdout }}', value: 9}", "echo ran"),
			status: "success", count: "1/0/0",
		},
		{
			name: "pattern that becomes invalid", steps: "- {name: a, action: ExecuteBash, inputs: {commands: ['echo \"(\"']}}\n" + bash("if: {patternMatches: '{{ build.a.outputs.stdout }}', value: x}", "echo ran"),
			status: "failed", count: "1/1/0", message: "evaluating patternMatches: error parsing regexp",
		},
		{
			name: "assertion is asked again", steps: "- {name: s, action: Assert, maxAttempts: 2, inputs: {fileExists: nothing}}",
			status: "failed", count: "1/1/0", message: "Assertion evaluated to false", console: "Warn Step s attempt 1 of 2 failed: Assertion evaluated to false\n",
		},
		{
			name: "assertion with an unknown key", steps: assertion("{folderExists: /, then: Skip}"),
			status: "success", count: "1/0/0",
		},
	}
	for _, test := range tests {
		t.Run(test.name, test.run)
	}
}

func TestCheckCondition(t *testing.T) {
	tests := []struct{ name, condition, want string }{ // want is part of the only error
		{"C31 baseline", `{numberEquals: five, value: 5}`, "Invalid condition in step 's' of phase 'build': operand of 'numberEquals': 'five' is not a number"},
		{"C34 five levels", `{not: {not: {not: {not: {not: {folderExists: /}}}}}}`, "logical operators are nested deeper than 4 levels"},
		{"pattern", `{patternMatches: '(', value: x}`, "operand of 'patternMatches': error parsing regexp"},
		{"no second key", `{stringEquals: a}`, "operator 'stringEquals' needs a second key 'value'"},
		{"no path", `{fileMD5Equals: a}`, "operator 'fileMD5Equals' needs a second key 'path'"},
		{"no operand", `{stringEquals: , value: x}`, "operator 'stringEquals' has no operand"},
		{"misspelled", `{strinEquals: a, value: x}`, "there is no operator 'strinEquals'; did you mean 'stringEquals'?"},
		{"no operator", `{value: x}`, "there is no operator, such as"},
		{"two operators", `{fileExists: a, folderExists: b}`, "there are two operators, 'fileExists' and 'folderExists'; join them with 'and' or 'or'"},
		{"and of nothing", `{and: []}`, "'and' takes a list of at least one condition"},
		{"or of a mapping", `{or: {fileExists: a}}`, "'or' takes a list of at least one condition"},
		{"text as a condition", `{not: x}`, "a condition is a mapping with one operator, not a scalar"},
		{"list as an operand", `{fileExists: [a]}`, "'fileExists' must be a text or a number, not a list"},
		{"unknown reference", `{fileExists: '{{ Nope }}'}`, "Undefined reference '{{ Nope }}' in step 's' of phase 'build'"},
		{"later step", `{fileExists: '{{ build.s.outputs.stdout }}'}`, "points to a step that runs later"},
	}
	for _, test := range tests {
		for _, steps := range []string{assertion(test.condition), "- {name: s, action: Reboot, if: " + test.condition + "}"} {
			wantError(t, test.name, "linux", steps, test.want)
		}
	}
}

func TestCheckConditional(t *testing.T) {
	tests := []struct{ name, conditional, want string }{
		{"then", `{fileExists: a, then: Run}`, "'then' must be Abort, Execute or Skip, not 'Run'"},
		{"else", `{fileExists: a, else: skip}`, "'else' must be Abort, Execute or Skip, not 'skip'"},
		{"then deep down", `{and: [{fileExists: a, then: Skip}]}`, "Unknown field 'then' in a condition of step 's'"},
		{"then below two", `{not: {not: {fileExists: a, then: Skip}}}`, "Unknown field 'then'"},
		{"two conditions", `[{fileExists: a}, {fileExists: b}]`, "a condition is a mapping with one operator, not a list"},
		{"text", `yes`, "a condition is a mapping with one operator, not a scalar"},
		{"unknown key", `{fileExists: a, thn: Skip}`, "Unknown field 'thn' in a condition of step 's' of phase 'build'; did you mean 'then'?"},
	}
	for _, test := range tests {
		wantError(t, test.name, "linux", "- {name: s, action: Reboot, if: "+test.conditional+"}", test.want)
	}
}

func TestConditionTrace(t *testing.T) {
	tr := try(t, nil, document("- {name: s, action: ExecuteBash, if: {not: {stringEquals: abc, value: ABC}}, inputs: {commands: [exit 1]}}"))
	log, err := os.ReadFile(filepath.Join(tr.result.LogURL, "application.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"operator=stringEquals baseline=abc subject=ABC result=true", "operator=not result=false"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("application.log lacks %q:\n%s", want, log)
		}
	}
}

func FuzzCondition(f *testing.F) {
	for _, seed := range []string{"{not: {fileExists: a, then: Skip}}", "{and: [{or: [{numberEquals: 1e9, value: 0x1}]}]}", "[{patternMatches: '[', value: }]", "{fileSHA256Equals: '{{ x.y.outputs.z }}', path: p}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, condition string) {
		for _, format := range []string{"if: %s, action: Reboot", "action: Assert, inputs: %s"} {
			doc := fmt.Sprintf("schemaVersion: 1.0\nphases: [{name: build, steps: [{name: s, "+format+"}]}]", condition)
			if d, findings := toe.Check([]byte(doc), toe.CheckOptions{}); (d == nil) != (findings.Err() != nil) {
				t.Errorf("Check(%q) = %v, %v", doc, d, findings)
			}
		}
	})
}
