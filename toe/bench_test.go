//go:build unix

package toe_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"ingot.dev/ingot/toe"
)

const benchSteps = 1000

// BenchmarkSteps runs a document of a thousand one-line steps; the lower bound
// is BenchmarkBash.
func BenchmarkSteps(b *testing.B) {
	var steps strings.Builder
	for i := range benchSteps {
		fmt.Fprintf(&steps, "- {name: s%d, action: ExecuteBash, inputs: {commands: ['echo %d']}}\n", i, i)
	}
	doc := document(steps.String())
	for b.Loop() {
		if tr := try(b, nil, doc); tr.result.ExecutedStepCount != benchSteps {
			b.Fatalf("Run = %+v, %v", tr.result, tr.err)
		}
	}
}

// BenchmarkBash is a bash script that starts bash a thousand times.
func BenchmarkBash(b *testing.B) {
	for b.Loop() {
		script := fmt.Sprintf("for i in {1..%d}; do bash -c 'echo 1; exit'; done", benchSteps)
		if out, err := exec.Command("bash", "-c", script).Output(); err != nil || len(out) != 2*benchSteps {
			b.Fatalf("%d bytes, %v", len(out), err)
		}
	}
}

// BenchmarkCheck checks a document of a thousand steps.
func BenchmarkCheck(b *testing.B) {
	var steps strings.Builder
	for i := range benchSteps {
		fmt.Fprintf(&steps, "- {name: s%d, action: ExecuteBash, inputs: {commands: ['echo {{ context:step }}']}}\n", i)
	}
	doc := []byte(document(steps.String()))
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, findings := toe.Check(doc, toe.CheckOptions{}); len(findings) > 0 {
			b.Fatal(findings)
		}
	}
}

// BenchmarkLoop asserts a condition of strings in each of a thousand
// iterations.
func BenchmarkLoop(b *testing.B) {
	doc := document(fmt.Sprintf("- {name: s, action: Assert, loop: {for: {start: 1, end: %d, updateBy: 1}}, inputs: {not: {stringEquals: x, value: '{{ loop.value }}'}}}", benchSteps))
	for b.Loop() {
		if tr := try(b, nil, doc); tr.result.Status != "success" {
			b.Fatalf("Run = %+v, %v", tr.result, tr.err)
		}
	}
}

// BenchmarkCheckDocument checks a document of 200 lines with something of
// everything.
func BenchmarkCheckDocument(b *testing.B) {
	doc := []byte(linesOf(200))
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, findings := toe.Check(doc, toe.CheckOptions{}); len(findings) > 0 {
			b.Fatal(findings)
		}
	}
}

// linesOf is a document of so many lines.
func linesOf(n int) string {
	const head = "name: bench\nschemaVersion: 1.0\nparameters:\n- Version: {type: string, default: 1.2.3}\nphases:\n- name: build\n  steps:\n"
	const step = `  - name: s%[1]d
    action: ExecuteBash
    timeoutSeconds: 600
    onFailure: Continue
    if: {not: {folderExists: '/opt/{{ Version }}'}}
    inputs:
      commands:
      - curl -fsSL https://example.com/{{ Version }}/file-%[1]d.tar.gz | tar -xz -C /opt/{{ Version }}
      - echo "{{ build.s%[2]d.outputs.stdout }}" >> /var/log/install.log
      - test -x /opt/{{ Version }}/bin/tool-%[1]d
`
	var doc strings.Builder
	doc.WriteString(head)
	for i := 0; strings.Count(doc.String(), "\n")+10 <= n; i++ {
		if i == 0 {
			doc.WriteString("  - {name: s0, action: ExecuteBash, inputs: {commands: [echo]}}\n")
			continue
		}
		fmt.Fprintf(&doc, step, i, i-1)
	}
	for strings.Count(doc.String(), "\n") < n {
		doc.WriteString("# a comment\n")
	}
	return doc.String()
}

// BenchmarkExecuteDocument executes a document of ten steps a hundred times.
func BenchmarkExecuteDocument(b *testing.B) {
	var steps strings.Builder
	for i := range 10 {
		fmt.Fprintf(&steps, "- {name: s%d, action: Assert, inputs: {stringIsEmpty: ''}}\n", i)
	}
	files := map[string]string{"in.yml": document(steps.String())}
	doc := document("- {name: n, action: ExecuteDocument, loop: {for: {start: 1, end: 100, updateBy: 1}}, inputs: {document: in.yml}}")
	for b.Loop() {
		if tr := tryNested(b, files, doc); tr.result.Status != "success" {
			b.Fatalf("Run = %+v, %v", tr.result, tr.err)
		}
	}
}
