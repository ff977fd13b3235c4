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
